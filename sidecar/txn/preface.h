/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of a connection whose client has sent HTTP/2's preface and whose server has not sent
 * a byte. A server that responds with HTTP/1 does not speak HTTP/2: the preface was a malformed
 * request for it (unreadable.h), and the requests after the preface have no response.
 */
#ifndef SIDELIGHT_TXN_PREFACE_H
#define SIDELIGHT_TXN_PREFACE_H

#include "txn/protocol.h"

/* For session.protocol once the preface is complete. The connection's role is known. */
extern const struct protocol_ops preface_protocol;

#endif
