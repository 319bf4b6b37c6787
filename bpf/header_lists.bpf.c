// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Copies the header lists of gRPC-Go: a uprobe at the beginning of the functions that read and
 * write a header block, attached by uprobe_multi to single processes while connections that are
 * older than us have fields that only the program knows.
 *
 *   func (t *http2Server) operateHeaders(ctx context.Context, frame *http2.MetaHeadersFrame, ...)
 *   func (t *http2Server) operateHeaders(frame *http2.MetaHeadersFrame, ...)     before gRPC 1.60
 *   func (t *http2Client) operateHeaders(frame *http2.MetaHeadersFrame)
 *   func (l *loopyWriter) writeHeader(streamID uint32, endStream bool, hf []hpack.HeaderField, ...)
 *
 * Versions of gRPC are not told apart: an argument is a frame if it looks like one, and the ends of
 * the connection are the first two net.TCPAddr that the transport refers to, wherever they are in
 * it. Of connections that are not wanted nothing but that is read, so that nothing is copied of
 * what came encrypted. User space believes a list only if it fits to what it has seen on the wire
 * (sidecar/proto/http2_recall.h).
 * Every error means that there is no list: lists are hints, and the next one says the same.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "header_lists.h"
#include "registers.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} lists SEC(".maps");

/* Connections whose lists are wanted, each with its ends in both orders. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * SL_LIST_WANTED_MAX);
	__type(key, struct sl_list_ends);
	__type(value, __u8);
} wanted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SL_LIST_WRITERS_MAX);
	__type(key, struct sl_list_writer);
	__type(value, struct sl_list_writer_state);
} writers SEC(".maps");

/* Lists that user space does not get: the ring is full; they are longer than a record. */
struct {
	__u64 lost_full;
	__u64 lost_long;
} counters;

/* Go's types: src/runtime/slice.go, string.go; golang.org/x/net/http2/frame.go, hpack/hpack.go;
 * src/net/tcpsock.go. */
struct slice {
	__u64 ptr;
	__u64 len;
	__u64 cap;
};

struct string {
	__u64 ptr;
	__u64 len;
};

struct header_field {
	struct string name;
	struct string value;
	__u64 is_sensitive;
};

/* The beginning of http2.MetaHeadersFrame. */
struct meta_frame {
	__u64 headers; /* *http2.HeadersFrame */
	struct slice fields;
	__u8 is_truncated;
	__u8 pad[7];
};

/* http2.FrameHeader, with which http2.HeadersFrame begins. */
struct frame_header {
	__u8 is_valid;
	__u8 type;
	__u8 flags;
	__u8 pad;
	__u32 len;
	__u32 stream;
};

struct tcp_addr {
	struct slice ip;
	__u64 port;
	struct string zone;
};

#define HEADERS	   1
#define END_STREAM 1

/* The arguments of a function of Go, which come in these registers (abi-internal.md). */
enum { RECEIVER, FIRST, SECOND, THIRD, FOURTH, ARGUMENTS };

static __always_inline void read_arguments(const __u64 *ctx, __u64 ret[ARGUMENTS])
{
	__u64 registers[16];

	read_registers(ctx, registers);
	ret[RECEIVER] = registers[0];
	ret[FIRST] = registers[is_arm64 ? 1 : 3]; /* BX */
	ret[SECOND] = registers[is_arm64 ? 2 : 1]; /* CX */
	ret[THIRD] = registers[is_arm64 ? 3 : 7]; /* DI */
	ret[FOURTH] = registers[is_arm64 ? 4 : 6]; /* SI */
}

static __always_inline bool read_user(void *ret, __u32 len, __u64 from)
{
	return bpf_probe_read_user(ret, len, (const void *)from) == 0;
}

/* Appends a string. False: it cannot be read. */
static __always_inline bool add_string(struct sl_header_list *l, const struct string *s)
{
	__u32 at = l->bytes & (SL_LIST_BYTES_MAX - 1);
	__u32 len = s->len & SL_LIST_STRING_MAX;

	if (len && !read_user(&l->text[at], len, s->ptr))
		return false;
	l->bytes = at + len;
	return true;
}

static __always_inline bool add_field(struct sl_header_list *l, const struct header_field *f)
{
	__u32 at = l->bytes & (SL_LIST_BYTES_MAX - 1);
	__u16 len[2];

	if (f->name.len - 1 >= SL_LIST_STRING_MAX || f->value.len > SL_LIST_STRING_MAX ||
	    l->bytes + sizeof(len) + f->name.len + f->value.len > SL_LIST_BYTES_MAX - 1) {
		__sync_fetch_and_add(&counters.lost_long, 1);
		return false;
	}
	len[0] = f->name.len;
	len[1] = f->value.len;
	__builtin_memcpy(&l->text[at], len, sizeof(len));
	l->bytes = at + sizeof(len);
	return add_string(l, &f->name) && add_string(l, &f->value);
}

static __always_inline bool add_fields(struct sl_header_list *l, __u64 fields, __u64 count)
{
	struct header_field f;

	if (!count)
		return false;
	if (count > SL_LIST_FIELDS_MAX) {
		__sync_fetch_and_add(&counters.lost_long, 1);
		return false;
	}
	l->bytes = 0;
	l->fields = count;
	for (__u32 i = 0; i < SL_LIST_FIELDS_MAX && i < count; i++)
		if (!read_user(&f, sizeof(f), fields + i * sizeof(f)) || !add_field(l, &f))
			return false;
	return true;
}

/* Not numbers and flags: an address that is none costs a fault. */
static __always_inline bool is_address(__u64 word)
{
	return word >= 0x10000 && word < 1ull << 47 && word % 8 == 0;
}

/* IPv4 in IPv6 (RFC 4291, section 2.5.5.2), which Go has for IPv4, too. */
static __always_inline void unmap(struct sl_list_end *end)
{
	__u32 *word = (__u32 *)end->addr;

	if (word[0] || word[1] || word[2] != bpf_htonl(0xffff))
		return;
	word[0] = word[3];
	word[2] = word[3] = 0;
	end->family = 4;
}

/* Is this the address of a net.TCPAddr? */
static __always_inline bool read_end(struct sl_list_end *ret, __u64 from)
{
	struct tcp_addr a;

	if (!read_user(&a, sizeof(a), from) || !a.port || a.port > 65535 || a.zone.len > 64 ||
	    (a.ip.len != 4 && a.ip.len != 16) || a.ip.cap < a.ip.len || a.ip.cap > 64)
		return false;
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->port = a.port;
	if (a.ip.len == 4) {
		ret->family = 4;
		return read_user(ret->addr, 4, a.ip.ptr);
	}
	ret->family = 6;
	if (!read_user(ret->addr, 16, a.ip.ptr))
		return false;
	unmap(ret);
	return true;
}

static __always_inline bool are_same(const struct sl_list_end *a, const struct sl_list_end *b)
{
	const __u64 *x = (const __u64 *)a;
	const __u64 *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/* The first two ends among the words of a transport: interfaces of the same type. */
static __always_inline bool read_ends(struct sl_list_ends *ret, __u64 transport)
{
	__u64 first_type = 0;
	__u64 type;
	__u64 word = 0;

	for (__u32 i = 0; i < SL_LIST_WORDS; i++) {
		type = word;
		if (!read_user(&word, sizeof(word), transport + i * sizeof(word)))
			return false;
		if (!is_address(type) || !is_address(word) || (first_type && type != first_type))
			continue;
		if (!first_type) {
			if (read_end(&ret->end[0], word))
				first_type = type;
		} else if (read_end(&ret->end[1], word) && !are_same(&ret->end[0], &ret->end[1])) {
			return true;
		}
	}
	return false;
}

static __always_inline bool read_frame(struct sl_header_list *l, __u64 from)
{
	struct meta_frame m;
	struct frame_header h;

	if (!read_user(&m, sizeof(m), from) || m.is_truncated || m.fields.cap < m.fields.len ||
	    !read_user(&h, sizeof(h), m.headers) || h.type != HEADERS || !(h.stream & 1) ||
	    h.is_valid > 1)
		return false;
	l->stream = h.stream;
	l->is_end = h.flags & END_STREAM;
	return add_fields(l, m.fields.ptr, m.fields.len);
}

/* A list that a program reads. */
static __always_inline bool fill_read(struct sl_header_list *l, const __u64 argument[ARGUMENTS],
				      const struct sl_list_ends *ends, __u64 function)
{
	l->ends = *ends;
	return read_user(l->word, sizeof(l->word), argument[RECEIVER]) &&
	       (read_frame(l, argument[FIRST]) ||
		(function == SL_LIST_SERVER_READS && read_frame(l, argument[THIRD])));
}

/* That a program writes. is_known: the writer is. */
static __always_inline bool fill_written(struct sl_header_list *l, const __u64 argument[ARGUMENTS],
					 bool is_known)
{
	l->stream = argument[FIRST];
	l->is_end = argument[SECOND] & 1;
	l->bytes = l->fields = 0;
	return !is_known || add_fields(l, argument[THIRD], argument[FOURTH]);
}

static __always_inline struct sl_header_list *reserve(__u64 object, __u64 function)
{
	struct sl_header_list *l = bpf_ringbuf_reserve(&lists, sizeof(*l), 0);

	if (!l) {
		__sync_fetch_and_add(&counters.lost_full, 1);
		return NULL;
	}
	l->object = object;
	l->tgid = bpf_get_current_pid_tgid() >> 32;
	l->function = function;
	return l;
}

static __always_inline void finish(struct sl_header_list *l, bool is_filled)
{
	if (is_filled)
		bpf_ringbuf_submit(l, 0);
	else
		bpf_ringbuf_discard(l, 0);
}

static __always_inline void on_read(const __u64 argument[ARGUMENTS], __u64 function)
{
	struct sl_list_ends ends = {};
	struct sl_header_list *l;

	if (!read_ends(&ends, argument[RECEIVER]) || !bpf_map_lookup_elem(&wanted, &ends))
		return;
	l = reserve(argument[RECEIVER], function);
	if (l)
		finish(l, fill_read(l, argument, &ends, function));
}

static __always_inline void on_written(const __u64 argument[ARGUMENTS])
{
	struct sl_list_writer writer = {.object = argument[RECEIVER],
					.tgid = bpf_get_current_pid_tgid() >> 32};
	const struct sl_list_writer_state *state = bpf_map_lookup_elem(&writers, &writer);
	bool is_known = state && state->until_ns > bpf_ktime_get_ns();
	struct sl_header_list *l;

	if (is_known && !state->is_wanted)
		return;
	l = reserve(argument[RECEIVER], SL_LIST_WRITES);
	if (l)
		finish(l, fill_written(l, argument, is_known));
}

SEC("uprobe")
int sl_list(__u64 *ctx)
{
	__u64 function = bpf_get_attach_cookie(ctx);
	__u64 argument[ARGUMENTS];

	read_arguments(ctx, argument);
	if (function == SL_LIST_WRITES)
		on_written(argument);
	else
		on_read(argument, function);
	return 0;
}
