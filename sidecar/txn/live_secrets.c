/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/live_secrets.h"

#include "tls/keys.h"
#include "txn/transport.h"

/* From the records of a handshake to its secrets: a client may take its time. */
#define WAIT_MAX_NS UINT64_C(3000000000)
/* From the secrets to the records, likewise; and the ring of records is read every 30 ms. */
#define UNUSED_MAX_NS UINT64_C(30000000000)
/*
 * Secrets without a name that waiting connections try in one round, each some 5 us: those of which
 * no secret will come try all that are new.
 */
#define TRIALS_MAX 256

static const enum tls_secret kinds[SL_SECRET_KINDS] = {
	[SL_SECRET_MASTER] = TLS_SECRET_MASTER,
	[SL_SECRET_CLIENT_HANDSHAKE] = TLS_SECRET_CLIENT_HANDSHAKE,
	[SL_SECRET_SERVER_HANDSHAKE] = TLS_SECRET_SERVER_HANDSHAKE,
	[SL_SECRET_CLIENT_TRAFFIC] = TLS_SECRET_CLIENT_TRAFFIC,
	[SL_SECRET_SERVER_TRAFFIC] = TLS_SECRET_SERVER_TRAFFIC,
};

void live_secrets_add(struct tls_env *env, const struct sl_secret *secret)
{
	struct span value = {(const char *)secret->value, secret->len};
	enum tls_secret kind = kinds[secret->kind];

	tls_secrets_expire(env->secrets, secret->time_ns, 0);
	/* What is dropped is counted by the table. */
	if (secret->has_random)
		(void)tls_secrets_add(env->secrets, secret->client_random, kind, value);
	else
		(void)tls_secrets_add_nameless(env->secrets, secret->tgid, secret->session, kind,
					       value);
}

/* Returns false if some have not tried what is new. */
static bool find_all(struct tls_env *env)
{
	uint64_t before = env->trials;
	bool is_whole = true;
	struct tls_stream *t;

	tls_waiting_begin(env);
	while ((t = tls_waiting_next(env, UINT64_MAX)))
		is_whole &= tls_keys_find(t, env->trials - before < TRIALS_MAX);
	return is_whole;
}

/* All find theirs before any goes on: both ends of a connection may be observed. */
bool live_secrets_resume(struct tls_env *env, uint64_t time_ns)
{
	bool is_whole = find_all(env);
	struct tls_stream *t;

	if (is_whole)
		tls_secrets_end_used(env->secrets);
	tls_waiting_begin(env);
	while ((t = tls_waiting_next(env, UINT64_MAX)))
		if (t->secrets)
			transport_secrets(t->owner, time_ns);
	return is_whole;
}

unsigned live_secrets_expire(struct tls_env *env, uint64_t time_ns)
{
	unsigned expired = 0;
	struct tls_stream *t;

	tls_secrets_expire(env->secrets, time_ns,
			   time_ns > UNUSED_MAX_NS ? time_ns - UNUSED_MAX_NS : 0);
	if (time_ns <= WAIT_MAX_NS)
		return 0;
	tls_waiting_begin(env);
	while ((t = tls_waiting_next(env, time_ns - WAIT_MAX_NS)))
		expired += transport_no_secrets(t->owner, time_ns - WAIT_MAX_NS, time_ns);
	return expired;
}
