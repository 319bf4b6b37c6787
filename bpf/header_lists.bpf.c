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
 * Nothing is taken for granted: an object is a frame if it looks like one in all members that are
 * read, and the ends of the connection are those two net.TCPAddr that the transport refers to,
 * wherever they are in it. User space believes a list only if it fits to what it has seen on the
 * wire (sidecar/proto/http2_recall.h).
 * Every error means that there is no list: lists are hints, and the next one says the same.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "header_lists.h"
#include "registers.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} lists SEC(".maps");

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
	return read_user(ret->addr, 16, a.ip.ptr);
}

/*
 * Finds the ends among the words of a transport: interfaces of the same type. What differs from one
 * round to the next is in the record, where the verifier does not follow it: it would look at every
 * combination.
 */
static __always_inline bool read_transport(struct sl_header_list *l)
{
	l->ends = 0;
	l->type = 0;
	if (!read_user(l->word, sizeof(l->word), l->object))
		return false;
	for (__u32 i = 0; i + 1 < SL_LIST_WORDS; i++) {
		__u32 place = l->ends;

		if (place >= SL_LIST_ENDS_MAX)
			break;
		/* The compiler would take away the mask, which the verifier needs. */
		asm volatile("" : "+r"(place));
		place &= SL_LIST_ENDS_MAX - 1;
		if (!is_address(l->word[i]) || !is_address(l->word[i + 1]) ||
		    (l->type && l->word[i] != l->type) || !read_end(&l->end[place], l->word[i + 1]))
			continue;
		l->type = l->word[i];
		l->ends++;
	}
	return l->ends >= 2;
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

static __always_inline bool fill(struct sl_header_list *l, const __u64 argument[ARGUMENTS],
				 __u64 function)
{
	l->object = argument[RECEIVER];
	l->tgid = bpf_get_current_pid_tgid() >> 32;
	l->function = function;
	l->ends = 0;
	if (function == SL_LIST_WRITES) {
		l->stream = argument[FIRST];
		l->is_end = argument[SECOND] & 1;
		return add_fields(l, argument[THIRD], argument[FOURTH]);
	}
	if (!read_transport(l))
		return false;
	return read_frame(l, argument[FIRST]) ||
	       (function == SL_LIST_SERVER_READS && read_frame(l, argument[THIRD]));
}

SEC("uprobe")
int sl_list(__u64 *ctx)
{
	__u64 argument[ARGUMENTS];
	struct sl_header_list *l;

	read_arguments(ctx, argument);
	l = bpf_ringbuf_reserve(&lists, sizeof(*l), 0);
	if (!l) {
		__sync_fetch_and_add(&counters.lost_full, 1);
		return 0;
	}
	if (fill(l, argument, bpf_get_attach_cookie(ctx)))
		bpf_ringbuf_submit(l, 0);
	else
		bpf_ringbuf_discard(l, 0);
	return 0;
}
