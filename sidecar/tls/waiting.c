/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/waiting.h"

#include "tls/stream.h"

static void append(struct tls_waiting *w, struct tls_stream *t)
{
	t->wait.next = NULL;
	t->wait.before = w->last;
	*(w->last ? &w->last->wait.next : &w->first) = t;
	w->last = t;
}

static void unlink_stream(struct tls_waiting *w, struct tls_stream *t)
{
	*(t->wait.before ? &t->wait.before->wait.next : &w->first) = t->wait.next;
	*(t->wait.next ? &t->wait.next->wait.before : &w->last) = t->wait.before;
}

void tls_waiting_add(struct tls_stream *t, uint64_t now_ns)
{
	struct tls_waiting *w = &t->env->waiting;

	if (t->wait.is_waiting)
		return;
	/* It has just been looked at: not again in this round, whose streams are at the end. */
	t->wait = (struct tls_wait){.is_waiting = true, .since_ns = now_ns, .round = w->round};
	append(w, t);
	w->count++;
}

void tls_waiting_remove(struct tls_stream *t)
{
	if (!t->wait.is_waiting)
		return;
	unlink_stream(&t->env->waiting, t);
	t->env->waiting.count--;
	t->wait = (struct tls_wait){0};
}

void tls_waiting_begin(struct tls_env *env)
{
	env->waiting.round++;
}

struct tls_stream *tls_waiting_next(struct tls_env *env, uint64_t before_ns)
{
	struct tls_waiting *w = &env->waiting;
	struct tls_stream *t = w->first;

	/* Those of this round are at the end. */
	while (t && t->wait.round != w->round && t->wait.since_ns >= before_ns)
		t = t->wait.next;
	if (!t || t->wait.round == w->round)
		return NULL;
	t->wait.round = w->round;
	unlink_stream(w, t);
	append(w, t);
	return t;
}
