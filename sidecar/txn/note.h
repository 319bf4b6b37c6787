/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the head of a request alone says: method, route, kind. Heads repeat, so it is kept with
 * the parser's memory of them, and marked by whose engine and role it is.
 */
#ifndef SIDELIGHT_TXN_NOTE_H
#define SIDELIGHT_TXN_NOTE_H

#include "proto/message.h"
#include "txn/session.h"

/* Looked up, or made: in *own, if the parser does not remember the head. */
struct message_note *note_find(struct session_env *env, enum role role, const struct message *m,
			       struct message_note *own);

#endif
