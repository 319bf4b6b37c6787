/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 whose client has sent the preface, and whose server has not sent a byte yet. A server that
 * answers with a response of HTTP/1 does not speak HTTP/2: the preface was a request that it could
 * not read (unreadable.h). The requests that the client sent behind the preface have ended with
 * that.
 */
#ifndef SIDELIGHT_TXN_PREFACE_H
#define SIDELIGHT_TXN_PREFACE_H

#include "txn/protocol.h"

/* For session.protocol once the preface is complete. The connection's role is known. */
extern const struct protocol_ops preface_protocol;

#endif
