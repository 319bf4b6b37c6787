/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/debug_log.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "base/log.h"
#include "txn/protocol.h"
#include "bpf/event.h"

static const char *address(const struct endpoint *e, char buf[INET6_ADDRSTRLEN])
{
	/* The buffer has the size that it asks for. */
	return inet_ntop(e->family == 6 ? AF_INET6 : AF_INET, e->addr, buf, INET6_ADDRSTRLEN);
}

static const char *role_name(enum role role)
{
	return role == ROLE_SERVER ? "server" : role == ROLE_CLIENT ? "client" : "older";
}

void debug_log_event(const struct event *ev)
{
	static const char *const mutes[SL_MUTE_MAX] = {
		[SL_MUTE_TLS] = "it speaks TLS",
		[SL_MUTE_UNKNOWN] = "it does not speak HTTP",
		[SL_MUTE_UPGRADE] = "it is a tunnel from here on",
		[SL_MUTE_MPTCP] = "it is one of several MPTCP subflows",
		[SL_MUTE_TLS_DARK] = "its TLS cannot be decrypted",
	};
	char local[INET6_ADDRSTRLEN];
	char remote[INET6_ADDRSTRLEN];

	if (ev->kind == EVENT_OPEN)
		log_debug("connection %" PRIx64 ": opened, %s, %s port %u, peer %s port %u, target "
			  "%" PRIu64,
			  ev->id, role_name(ev->open.role), address(&ev->open.local, local),
			  ev->open.local.port, address(&ev->open.remote, remote),
			  ev->open.remote.port, ev->open.container);
	else if (ev->kind == EVENT_CLOSE)
		log_debug("connection %" PRIx64 ": %s after %" PRIu64 " bytes in, %" PRIu64
			  " bytes out",
			  ev->id, ev->close.is_reset ? "reset" : "closed",
			  ev->close.bytes[DIR_INGRESS], ev->close.bytes[DIR_EGRESS]);
	else if (ev->kind == EVENT_MUTE && ev->mute < SL_MUTE_MAX && mutes[ev->mute])
		log_debug("connection %" PRIx64 ": muted, %s", ev->id, mutes[ev->mute]);
}

static void on_done(void *ctx, const struct transaction *t)
{
	(void)ctx;
	log_debug("connection %" PRIx64 ": %s: %s %s, status %u%s%s", t->conn_id,
		  t->protocol == TXN_GRPC    ? "gRPC"
		  : t->protocol == TXN_ADDED ? t->added.protocol->name
		  : t->http.stream	     ? "HTTP/2"
					     : "HTTP/1",
		  t->known_method, t->route, t->http.status, t->error ? ", " : "",
		  txn_error_name(t->error));
}

const struct txn_sink debug_log_sink = {.done = on_done};
