/* SPDX-License-Identifier: Apache-2.0 */
/* Taking secrets from a model of the kernel's maps, which the test fills as the probes do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/secret_ring.h"
#include "secrets.skel.h"

struct world {
	struct secret_ring ring;
	struct sl_secret secrets[SL_SECRETS];
	struct secrets_bpf__data_lost lost;
	uint64_t consumed;
	uint64_t produced;
	char records[SL_SECRETS_RING_BYTES];
	uint32_t next;
	unsigned taken;
	uint32_t sum; /* of the first bytes of their values */
};

static int set_up(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.ring.secrets = w.secrets;
	w.ring.lost = &w.lost;
	w.ring.filled = (struct mapped){.data = w.records,
					.mask = sizeof(w.records) - 1,
					.consumed = &w.consumed,
					.produced = &w.produced};
	*state = &w;
	return 0;
}

/* As bpf_ringbuf_output() does (kernel/bpf/ringbuf.c). */
static void write_record(struct world *w, const void *bytes, uint32_t len)
{
	char *at = w->records + w->produced % sizeof(w->records);

	memcpy(at, &len, sizeof(len));
	memcpy(at + BPF_RINGBUF_HDR_SZ, bytes, len);
	w->produced += 16;
}

/* Returns false if the probe finds no element. */
static bool fill(struct world *w, uint8_t kind, uint8_t len, uint8_t value)
{
	uint32_t index = w->next++ % SL_SECRETS;
	struct sl_secret *s = &w->secrets[index];

	if (s->is_taken)
		return false;
	*s = (struct sl_secret){.is_taken = 1, .kind = kind, .len = len, .has_random = 1};
	memset(s->value, value, sizeof(s->value));
	memset(s->client_random, value, sizeof(s->client_random));
	write_record(w, &index, sizeof(index));
	return true;
}

static void on_secret(void *ctx, const struct sl_secret *secret)
{
	struct world *w = ctx;

	w->taken++;
	w->sum += secret->value[0];
}

static bool is_clean(const struct world *w)
{
	static const struct sl_secret none;

	for (size_t i = 0; i < SL_SECRETS; i++)
		if (w->secrets[i].is_taken ||
		    memcmp(w->secrets[i].value, none.value, sizeof(none.value)) != 0 ||
		    memcmp(w->secrets[i].client_random, none.client_random,
			   sizeof(none.client_random)) != 0)
			return false;
	return true;
}

/* The ring goes round several times. */
static void test_taken_secrets(void **state)
{
	struct world *w = *state;
	unsigned filled = 0;
	uint32_t sum = 0;

	assert_int_equal(secret_ring_take(&w->ring, on_secret, w), 0);
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 0; i < round % 13; i++) {
			assert_true(fill(w, SL_SECRET_CLIENT_TRAFFIC, 32, (uint8_t)round));
			sum += (uint8_t)round;
			filled++;
		}
		assert_int_equal(secret_ring_take(&w->ring, on_secret, w), round % 13);
		assert_true(is_clean(w));
		assert_int_equal(w->consumed, w->produced);
	}
	assert_int_equal(w->taken, filled);
	assert_int_equal(w->sum, sum);
	assert_int_equal(secret_ring_lost(&w->ring), 0);
}

/* Those that find no element are the programs' to count. */
static void test_full(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < SL_SECRETS; i++)
		assert_true(fill(w, SL_SECRET_MASTER, 48, 1));
	assert_false(fill(w, SL_SECRET_MASTER, 48, 1));
	w->lost.lost.full = 1;
	w->lost.lost.memory = 2;
	assert_int_equal(secret_ring_take(&w->ring, on_secret, w), SL_SECRETS);
	assert_true(is_clean(w));
	assert_true(fill(w, SL_SECRET_MASTER, 48, 1));
	assert_int_equal(secret_ring_lost(&w->ring), 3);
}

static void on_secret_fill(void *ctx, const struct sl_secret *secret)
{
	on_secret(ctx, secret);
	(void)fill(ctx, SL_SECRET_MASTER, 48, 1); /* in the element behind */
}

/* Programs that shake hands faster than secrets are taken do not keep the reader for ever. */
static void test_no_end(void **state)
{
	struct world *w = *state;

	assert_true(fill(w, SL_SECRET_MASTER, 48, 1));
	assert_int_equal(secret_ring_take(&w->ring, on_secret_fill, w), SL_SECRETS);
	assert_int_equal(secret_ring_take(&w->ring, on_secret, w), 1);
	assert_true(is_clean(w));
}

/* A program may call its key-log function with any label, and a length that does not belong to it;
 * the rest would be a fault of our own. */
static void test_malformed(void **state)
{
	struct world *w = *state;
	uint32_t far = SL_SECRETS;

	assert_true(fill(w, SL_SECRET_MASTER, 32, 1));
	assert_true(fill(w, SL_SECRET_KINDS, 32, 1));
	assert_true(fill(w, SL_SECRET_SERVER_TRAFFIC, 49, 1));
	assert_true(fill(w, SL_SECRET_SERVER_TRAFFIC, 0, 1));
	write_record(w, &far, sizeof(far));
	write_record(w, &far, 2);
	assert_true(fill(w, SL_SECRET_SERVER_TRAFFIC, 48, 5));
	(void)secret_ring_take(&w->ring, on_secret, w);
	assert_int_equal(w->taken, 1);
	assert_int_equal(w->sum, 5);
	assert_true(is_clean(w));
	assert_int_equal(secret_ring_lost(&w->ring), 6);
}

/* What the programs have lost is known even if the rest cannot be mapped. */
static void test_wrong_descriptors(void **state)
{
	const struct secrets_bpf__data_lost lost = {{3, 4}};
	struct secret_ring ring;
	int fds[SECRET_RING_MAPS];
	int fd = memfd_create("map", MFD_CLOEXEC); /* of which nobody can be woken */

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sysconf(_SC_PAGESIZE)), 0);
	assert_int_equal(pwrite(fd, &lost, sizeof(lost), 0), sizeof(lost));
	for (size_t i = 0; i < SECRET_RING_MAPS; i++)
		fds[i] = -1;
	assert_int_equal(secret_ring_open(&ring, fds), -EBADF);
	assert_false(secret_ring_is_open(&ring));
	assert_int_equal(secret_ring_lost(&ring), 0);
	secret_ring_close(&ring);
	fds[SECRET_RING_LOST] = fds[SECRET_RING_FILLED] = fd;
	assert_int_equal(secret_ring_open(&ring, fds), -EPERM);
	assert_false(secret_ring_is_open(&ring));
	assert_int_equal(secret_ring_lost(&ring), 7);
	assert_int_equal(close(fd), 0);
	secret_ring_close(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_taken_secrets, set_up),
		cmocka_unit_test_setup(test_full, set_up),
		cmocka_unit_test_setup(test_no_end, set_up),
		cmocka_unit_test_setup(test_malformed, set_up),
		cmocka_unit_test(test_wrong_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
