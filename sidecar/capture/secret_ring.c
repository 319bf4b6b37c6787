/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/secret_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "secrets.skel.h"

#define SECRETS_BYTES (SL_SECRETS * sizeof(struct sl_secret))

static void close_all(struct secret_ring *r)
{
	mapped_close(&r->filled);
	mapped_section_close(r->secrets, SECRETS_BYTES);
	r->secrets = NULL;
	wake_close(&r->wake);
}

int secret_ring_open(struct secret_ring *r, const int fds[SECRET_RING_MAPS])
{
	int err;

	*r = (struct secret_ring){.wake = {-1, -1}};
	r->lost = mapped_section(fds[SECRET_RING_LOST], sizeof(*r->lost));
	if (!r->lost)
		return -errno;
	err = mapped_open_ringbuf(&r->filled, fds[SECRET_RING_FILLED], SL_SECRETS_RING_BYTES);
	if (!err)
		err = wake_open(&r->wake, fds[SECRET_RING_FILLED]);
	if (!err) {
		r->secrets = mapped_section(fds[SECRET_RING_SECRETS], SECRETS_BYTES);
		if (!r->secrets || madvise(r->secrets, SECRETS_BYTES, MADV_DONTDUMP))
			err = -errno;
	}
	if (err)
		close_all(r);
	return err;
}

void secret_ring_close(struct secret_ring *r)
{
	if (!r->lost)
		return;
	close_all(r);
	mapped_section_close((void *)r->lost, sizeof(*r->lost));
	r->lost = NULL;
}

int secret_ring_fd(const struct secret_ring *r)
{
	return r->wake.fd;
}

bool secret_ring_woken(struct secret_ring *r)
{
	wake_consume(&r->wake);
	return mapped_produced(&r->filled) - r->filled.at >= SL_SECRETS_MANY_BYTES;
}

uint64_t secret_ring_lost(const struct secret_ring *r)
{
	return r->lost ? r->lost->lost.full + r->lost->lost.memory + r->malformed : 0;
}

/* A program may call its key-log function with anything. */
static bool is_valid(const struct sl_secret *s)
{
	if (s->kind == SL_SECRET_MASTER)
		return s->len == SL_SECRET_MAX;
	return s->kind < SL_SECRET_KINDS && (s->len == 32 || s->len == SL_SECRET_MAX);
}

/* The probes may fill the element again. */
static void give_back(struct sl_secret *s)
{
	explicit_bzero(s->value, sizeof(s->value));
	explicit_bzero(s->client_random, sizeof(s->client_random));
	__atomic_store_n(&s->is_taken, 0, __ATOMIC_RELEASE);
}

static void hand_out(struct secret_ring *r, const char *record, uint32_t len, secret_ring_fn fn,
		     void *ctx)
{
	struct sl_secret *s;
	uint32_t index = SL_SECRETS;

	if (len >= sizeof(index))
		memcpy(&index, record, sizeof(index));
	if (index >= SL_SECRETS) {
		r->malformed++;
		return;
	}
	s = &r->secrets[index];
	if (is_valid(s))
		fn(ctx, s);
	else
		r->malformed++;
	give_back(s);
}

unsigned secret_ring_take(struct secret_ring *r, secret_ring_fn fn, void *ctx)
{
	unsigned count = 0;
	const char *record;
	uint32_t len;

	/* Not more than there is room for: programs that do not pause do not keep the loop here. */
	while (count < SL_SECRETS && (record = mapped_next(&r->filled, &len))) {
		hand_out(r, record, len, fn, ctx);
		count++;
		mapped_release(&r->filled);
		/*
		 * Pairs with the kernel's commit of a record (bpf_ringbuf_commit()): either it sees
		 * that all before was read, and wakes, or mapped_next() sees the record.
		 */
		__sync_synchronize();
	}
	return count;
}
