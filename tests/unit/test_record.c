/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the ring as events: a valid one of each kind, then each kind of error. Each record
 * lies at the end of a guarded page, as near as its alignment lets it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/event.h"
#include "capture/record.h"
#include "guard.h"

#define DATA_MAX 8

union record {
	struct sl_header h;
	struct sl_open open;
	struct sl_close close;
	struct sl_read read;
	struct {
		struct sl_data data;
		char bytes[DATA_MAX];
	} d;
};

static struct guard guard;

static int read_record(const union record *r, size_t size, struct event *ev)
{
	/* Records of a ring are aligned to 8 bytes: up to 7 bytes behind this one can be touched.
	 */
	char padded[sizeof(union record) + 8] = {0};
	size_t whole = (size + 7) & ~(size_t)7;

	memcpy(padded, r, size);
	return record_read(guard_put(&guard, (struct span){padded, whole}).ptr, size, ev);
}

static const union record an_open = {
	.open = {.h = {.kind = SL_OPEN, .flags = SL_F_EARLY, .time_ns = 5, .id = 6},
		 .container = 7,
		 .local_addr = {0x0100007f},
		 .remote_addr = {0x0200007f},
		 .local_port = 80,
		 .remote_port = 40000,
		 .family = 4,
		 .role = SL_ROLE_SERVER}};

static void test_open(void **state)
{
	union record r = an_open;
	struct event ev;

	(void)state;
	assert_int_equal(read_record(&r, sizeof(r.open), &ev), 0);
	assert_int_equal(ev.kind, EVENT_OPEN);
	assert_int_equal(ev.time_ns, 5);
	assert_int_equal(ev.id, 6);
	assert_int_equal(ev.open.container, 7);
	assert_int_equal(ev.open.role, ROLE_SERVER);
	assert_true(ev.open.is_early);
	assert_int_equal(ev.open.local.port, 80);
	assert_int_equal(ev.open.remote.port, 40000);
	assert_memory_equal(ev.open.local.addr, "\x7f\0\0\1", 4);
	assert_memory_equal(ev.open.remote.addr, "\x7f\0\0\2", 4);
	for (size_t n = 0; n < sizeof(r.open); n++)
		assert_int_equal(read_record(&r, n, &ev), -EBADMSG);
	for (unsigned family = 0; family < 256; family++) {
		r.open.family = (__u8)family;
		assert_int_equal(read_record(&r, sizeof(r.open), &ev),
				 family == 4 || family == 6 ? 0 : -EBADMSG);
	}
	r = an_open;
	r.open.role = SL_ROLE_CLIENT + 1;
	assert_int_equal(read_record(&r, sizeof(r.open), &ev), -EBADMSG);
}

static void test_close_and_mute(void **state)
{
	union record r = {.close = {.h = {.kind = SL_CLOSE, .flags = SL_F_RESET},
				    .bytes = {10, 20},
				    .to_seq = {1, 2},
				    .srtt_us = 30,
				    .retransmits = 40}};
	struct event ev;

	(void)state;
	assert_int_equal(read_record(&r, sizeof(r.close), &ev), 0);
	assert_int_equal(ev.kind, EVENT_CLOSE);
	assert_true(ev.close.is_reset && ev.close.has_end);
	assert_int_equal(ev.close.bytes[DIR_INGRESS], 10);
	assert_int_equal(ev.close.bytes[DIR_EGRESS], 20);
	assert_int_equal(ev.close.to_seq[DIR_EGRESS], 2);
	assert_int_equal(ev.close.srtt_us, 30);
	assert_int_equal(ev.close.retransmits, 40);
	assert_int_equal(read_record(&r, sizeof(r.close) - 1, &ev), -EBADMSG);
	r.h = (struct sl_header){.kind = SL_MUTE, .why = SL_MUTE_UPGRADE};
	assert_int_equal(read_record(&r, sizeof(r.h), &ev), 0);
	assert_int_equal(ev.kind, EVENT_MUTE);
	assert_int_equal(ev.mute, SL_MUTE_UPGRADE);
	assert_int_equal(read_record(&r, sizeof(r.h) - 1, &ev), -EBADMSG);
	r.read = (struct sl_read){
		.h = {.kind = SL_READ, .time_ns = 7, .id = 8}, .from_seq = 9, .to_seq = 10};
	assert_int_equal(read_record(&r, sizeof(r.read), &ev), 0);
	assert_int_equal(ev.kind, EVENT_READ);
	assert_int_equal(ev.read.from_seq, 9);
	assert_int_equal(ev.read.to_seq, 10);
	assert_int_equal(read_record(&r, sizeof(r.read) - 1, &ev), -EBADMSG);
}

static void test_kinds(void **state)
{
	union record r = {0};
	struct event ev;

	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		if (kind >= SL_OPEN && kind <= SL_READ)
			continue;
		r.h.kind = (__u8)kind;
		assert_int_equal(read_record(&r, sizeof(r), &ev), -EBADMSG);
	}
}

static const struct {
	const char *why;
	__u32 from_seq;
	__u32 seq;
	__u32 len;
	__u32 to_seq;
	size_t size; /* of data in the record */
	__u8 dir;
	bool is_good;
	__u8 flags;
} datas[] = {
	{"bytes", 1, 1, 5, 6, 5, SL_EGRESS, true, 0},
	{"the direction ends", 1, 1, 5, 6, 5, SL_EGRESS, true, SL_F_FIN},
	{"segments are missing", 1, 1, 5, 6, 5, SL_EGRESS, true, SL_F_OUT_OF_ORDER},
	{"a frame", 1, 1, 5, 6, 5, SL_EGRESS, true, SL_F_FRAME},
	{"the programs ask for a frame start", 1, 1, 5, 6, 5, SL_EGRESS, true, SL_F_ASK},
	{"room behind the bytes: records have few sizes", 1, 1, 5, 6, 8, SL_EGRESS, true, 0},
	{"no bytes", 1, 1, 0, 1, 0, SL_INGRESS, true, 0},
	{"only skipped bytes", 1, 9, 0, 9, 0, SL_INGRESS, true, 0},
	{"not copied before and after", 1, 4, 2, 9, 2, SL_INGRESS, true, 0},
	{"across 2^32", 0xfffffffe, 0xffffffff, 4, 9, 4, SL_INGRESS, true, 0},
	{"the maximum of skipped bytes", 0, 0x7fffffff, 0, 0x7fffffff, 0, SL_INGRESS, true, 0},
	{"more", 0, 0, 0, 0x80000000, 0, SL_INGRESS, false, 0},
	{"an end before the beginning", 1, 1, 0, 0, 0, SL_INGRESS, false, 0},
	{"bytes before the beginning", 2, 1, 1, 6, 1, SL_INGRESS, false, 0},
	{"bytes behind the end", 1, 3, 5, 7, 5, SL_INGRESS, false, 0},
	{"a position behind the end", 1, 8, 0, 7, 0, SL_INGRESS, false, 0},
	{"more bytes than the record has", 1, 1, 6, 7, 5, SL_INGRESS, false, 0},
	{"a length that would wrap", 1, 1, 0xffffffff, 7, 8, SL_INGRESS, false, 0},
	{"a third direction", 1, 1, 5, 6, 5, 2, false, 0},
};

static void test_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(datas) / sizeof(*datas); i++) {
		union record r = {.d = {.data = {.h = {.kind = SL_DATA,
						       .dir = datas[i].dir,
						       .flags = datas[i].flags,
						       .len = datas[i].len},
						 .from_seq = datas[i].from_seq,
						 .seq = datas[i].seq,
						 .to_seq = datas[i].to_seq,
						 .peer_seq = 77,
						 .tid = 88,
						 .tgid = 99},
					.bytes = "01234567"}};
		struct event ev;
		int rc = read_record(&r, sizeof(r.d.data) + datas[i].size, &ev);

		if (rc != (datas[i].is_good ? 0 : -EBADMSG))
			fail_msg("%s: %d", datas[i].why, rc);
		assert_int_equal(read_record(&r, sizeof(r.d.data) - 1, &ev), -EBADMSG);
		if (!datas[i].is_good)
			continue;
		assert_int_equal(read_record(&r, sizeof(r.d.data) + datas[i].size, &ev), 0);
		assert_int_equal(ev.kind, EVENT_DATA);
		assert_int_equal(ev.data.dir, datas[i].dir);
		assert_int_equal(ev.data.data.len, datas[i].len);
		assert_memory_equal(ev.data.data.ptr, "01234567", datas[i].len);
		assert_int_equal(ev.data.from_seq, datas[i].from_seq);
		assert_int_equal(ev.data.seq, datas[i].seq);
		assert_int_equal(ev.data.to_seq, datas[i].to_seq);
		assert_int_equal(ev.data.tid, 88);
		assert_int_equal(ev.data.tgid, 99);
		assert_true(ev.data.has_peer);
		assert_int_equal(ev.data.is_fin, !!(datas[i].flags & SL_F_FIN));
		assert_int_equal(ev.data.is_ahead, !!(datas[i].flags & SL_F_OUT_OF_ORDER));
		assert_int_equal(ev.data.is_frame, !!(datas[i].flags & SL_F_FRAME));
		assert_int_equal(ev.data.wants_frame_start, !!(datas[i].flags & SL_F_ASK));
		assert_int_equal(ev.data.peer_seq, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_close_and_mute),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_data),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
