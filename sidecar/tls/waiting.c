/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/waiting.h"

#include <string.h>

#include "tls/stream.h"

void tls_waiting_add(struct tls_stream *t, uint64_t now_ns)
{
	struct tls_stream **bucket = &t->env->waiting.bucket[t->client_random[0]];

	if (t->wait.at)
		return;
	t->wait.since_ns = now_ns;
	t->wait.next = *bucket;
	if (t->wait.next)
		t->wait.next->wait.at = &t->wait.next;
	t->wait.at = bucket;
	*bucket = t;
	t->env->waiting.count++;
}

void tls_waiting_remove(struct tls_stream *t)
{
	if (!t->wait.at)
		return;
	*t->wait.at = t->wait.next;
	if (t->wait.next)
		t->wait.next->wait.at = t->wait.at;
	t->wait.at = NULL;
	t->wait.next = NULL;
	t->env->waiting.count--;
}

void tls_waiting_begin(struct tls_env *env)
{
	env->waiting.round++;
}

static struct tls_stream *next_of(struct tls_stream *t, uint64_t round,
				  const uint8_t *client_random, uint64_t before_ns)
{
	while (t &&
	       (t->wait.round == round || t->wait.since_ns >= before_ns ||
		(client_random && memcmp(client_random, t->client_random, TLS_RANDOM_BYTES) != 0)))
		t = t->wait.next;
	return t;
}

struct tls_stream *tls_waiting_next(struct tls_env *env, const uint8_t *client_random,
				    uint64_t before_ns)
{
	unsigned first = client_random ? client_random[0] : 0;
	unsigned last = client_random ? client_random[0] : TLS_WAITING_BUCKETS - 1;

	for (unsigned i = first; i <= last; i++) {
		struct tls_stream *t = next_of(env->waiting.bucket[i], env->waiting.round,
					       client_random, before_ns);

		if (t) {
			t->wait.round = env->waiting.round;
			return t;
		}
	}
	return NULL;
}
