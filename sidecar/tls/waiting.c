/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/waiting.h"

#include "tls/stream.h"

void tls_waiting_add(struct tls_stream *t, uint64_t now_ns)
{
	struct tls_waiting *w = &t->env->waiting;

	if (t->wait.is_waiting)
		return;
	t->wait = (struct tls_wait){.is_waiting = true, .since_ns = now_ns, .older = w->newest};
	if (w->newest)
		w->newest->wait.newer = t;
	w->newest = t;
	w->count++;
}

void tls_waiting_remove(struct tls_stream *t)
{
	struct tls_waiting *w = &t->env->waiting;

	if (!t->wait.is_waiting)
		return;
	if (w->cursor == t)
		w->cursor = t->wait.older;
	*(t->wait.newer ? &t->wait.newer->wait.older : &w->newest) = t->wait.older;
	if (t->wait.older)
		t->wait.older->wait.newer = t->wait.newer;
	w->count--;
	t->wait = (struct tls_wait){0};
}

void tls_waiting_begin(struct tls_env *env)
{
	env->waiting.cursor = env->waiting.newest;
}

struct tls_stream *tls_waiting_next(struct tls_env *env, uint64_t before_ns)
{
	struct tls_stream *t = env->waiting.cursor;

	while (t && t->wait.since_ns >= before_ns)
		t = t->wait.older;
	env->waiting.cursor = t ? t->wait.older : NULL;
	return t;
}
