/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/live_secrets.h"

#include "txn/transport.h"

/* From the records of a handshake to its secrets: the broker hands them over at once. */
#define WAIT_MAX_NS UINT64_C(3000000000)
/* From the secrets to the records: the ring is read every 30 ms, and a client may take its time. */
#define UNUSED_MAX_NS UINT64_C(30000000000)
/* Connections that try one secret without a name. */
#define TRIED_MAX 64

static const enum tls_secret kinds[SL_SECRET_KINDS] = {
	[SL_SECRET_MASTER] = TLS_SECRET_MASTER,
	[SL_SECRET_CLIENT_HANDSHAKE] = TLS_SECRET_CLIENT_HANDSHAKE,
	[SL_SECRET_SERVER_HANDSHAKE] = TLS_SECRET_SERVER_HANDSHAKE,
	[SL_SECRET_CLIENT_TRAFFIC] = TLS_SECRET_CLIENT_TRAFFIC,
	[SL_SECRET_SERVER_TRAFFIC] = TLS_SECRET_SERVER_TRAFFIC,
};

/* Those that the secret is for, or may be for, go on. */
static void resume(struct tls_env *env, const uint8_t *client_random, uint64_t time_ns)
{
	struct tls_stream *t;

	tls_waiting_begin(env);
	for (unsigned i = 0;
	     i < TRIED_MAX && (t = tls_waiting_next(env, client_random, UINT64_MAX)); i++)
		transport_secrets(t->owner, time_ns);
}

void live_secrets_add(struct tls_env *env, const struct sl_secret *secret, uint64_t time_ns)
{
	struct span value = {(const char *)secret->value, secret->len};
	enum tls_secret kind = kinds[secret->kind];

	tls_secrets_expire(env->secrets, time_ns, 0);
	if (secret->has_random)
		(void)tls_secrets_add(env->secrets, secret->client_random, kind, value);
	else
		(void)tls_secrets_add_nameless(env->secrets, secret->tgid, secret->session, kind,
					       value);
	/* What is dropped is counted by the table. */
	resume(env, secret->has_random ? secret->client_random : NULL, time_ns);
}

unsigned live_secrets_expire(struct tls_env *env, uint64_t time_ns)
{
	unsigned expired = 0;
	struct tls_stream *t;

	tls_secrets_expire(env->secrets, time_ns,
			   time_ns > UNUSED_MAX_NS ? time_ns - UNUSED_MAX_NS : 0);
	tls_waiting_begin(env);
	while (time_ns > WAIT_MAX_NS && (t = tls_waiting_next(env, NULL, time_ns - WAIT_MAX_NS))) {
		transport_no_secrets(t->owner, time_ns);
		expired++;
	}
	return expired;
}
