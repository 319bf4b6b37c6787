/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/trace_context.h"

#include <string.h>
#include <strings.h>

#define BIT(field) (1u << (field))

/* Lengths in digits and characters. */
#define SPAN_DIGITS	   16
#define TRACE_DIGITS	   32
#define TRACE_DIGITS_SHORT 16 /* B3 only */
#define TRACEPARENT	   55 /* version 00; later versions may append fields */

static bool is(struct span name, const char *want)
{
	return strncasecmp(name.ptr, want, name.len) == 0;
}

enum trace_field trace_field_find(struct span name)
{
	switch (name.len) {
	case 2:
		if ((name.ptr[0] | 0x20) == 'b' && name.ptr[1] == '3')
			return TRACE_FIELD_B3;
		break;
	case 10:
		if (is(name, "x-b3-flags"))
			return TRACE_FIELD_B3_FLAGS;
		break;
	case 11:
		if (is(name, "traceparent"))
			return TRACE_FIELD_TRACEPARENT;
		if (is(name, "x-b3-spanid"))
			return TRACE_FIELD_B3_SPAN_ID;
		break;
	case 12:
		if (is(name, "x-b3-traceid"))
			return TRACE_FIELD_B3_TRACE_ID;
		if (is(name, "x-b3-sampled"))
			return TRACE_FIELD_B3_SAMPLED;
		break;
	default:
		break;
	}
	return TRACE_FIELD_NONE;
}

static inline uint64_t word(const uint8_t *id)
{
	uint64_t w;

	memcpy(&w, id, sizeof(w));
	return w;
}

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint16_t pairs __attribute__((vector_size(16)));

/*
 * The values of 16 lower-case digits. Bytes of *valid become zero where there is another character.
 */
static inline bytes digits16(const char *digits, bytes *valid)
{
	bytes c;
	bytes is_number;
	bytes is_letter;

	memcpy(&c, digits, sizeof(c));
	is_number = (bytes)(c - '0' < 10);
	is_letter = (bytes)(c - 'a' < 6);
	*valid &= is_number | is_letter;
	return ((c - '0') & is_number) | ((c - 'a' + 10) & is_letter);
}

/* Two digits in each byte at an even place; the other bytes are undefined. */
static inline bytes join(bytes digits)
{
	pairs pair = (pairs)digits;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (bytes)(pair << 4 | pair << 8);
#else
	return (bytes)(pair << 4 | pair >> 8);
#endif
}

/* Decodes 32 digits, or 16 with zeros before them. */
static inline bool decode(const char *digits, bool is_short, uint8_t *ret)
{
	bytes valid = ~(bytes){0};
	bytes first = is_short ? (bytes){0} : join(digits16(digits, &valid));
	bytes second = join(digits16(is_short ? digits : digits + 16, &valid));
	bytes decoded = __builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18,
						20, 22, 24, 26, 28, 30);
	uint64_t all[2];

	memcpy(ret, &decoded, sizeof(decoded));
	memcpy(all, &valid, sizeof(all));
	return (all[0] & all[1]) == UINT64_MAX;
}

static inline bool parse_trace_id(struct span s, uint8_t *ret)
{
	if (s.len == TRACE_DIGITS)
		return decode(s.ptr, false, ret) && (word(ret) | word(ret + 8));
	return s.len == TRACE_DIGITS_SHORT && decode(s.ptr, true, ret) && word(ret + 8);
}

static inline bool parse_span_id(struct span s, uint8_t *ret)
{
	uint8_t wide[TRACE_ID_BYTES];

	if (s.len != SPAN_DIGITS || !decode(s.ptr, true, wide))
		return false;
	memcpy(ret, wide + 8, SPAN_ID_BYTES);
	return word(ret);
}

/* A digit's value; negative: it is none. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Two digits; negative: they are none. */
static int parse_byte(const char *p)
{
	int high = digit(p[0]);
	int low = digit(p[1]);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* version "-" trace-id "-" parent-id "-" trace-flags */
static bool parse_traceparent(struct trace_context *c, struct span s)
{
	int version;
	int flags;

	if (s.len < TRACEPARENT || s.ptr[2] != '-' || s.ptr[35] != '-' || s.ptr[52] != '-')
		return false;
	version = memcmp(s.ptr, "00", 2) == 0 ? 0 : parse_byte(s.ptr);
	flags = parse_byte(s.ptr + 53);
	if (version < 0 || version == 0xff || flags < 0)
		return false;
	if (s.len > TRACEPARENT && (version == 0 || s.ptr[TRACEPARENT] != '-'))
		return false;
	c->is_sampled = flags & 1;
	return parse_trace_id((struct span){s.ptr + 3, TRACE_DIGITS}, c->trace_id) &&
	       parse_span_id((struct span){s.ptr + 36, SPAN_DIGITS}, c->span_id);
}

/* The part of s before the next dash; *s is what follows the dash, NULL if there is none. */
static struct span next_part(struct span *s)
{
	const char *dash = s->len ? memchr(s->ptr, '-', s->len) : NULL;
	struct span part = {s->ptr, dash ? (size_t)(dash - s->ptr) : s->len};

	*s = dash ? span_from(*s, part.len + 1) : (struct span){NULL, 0};
	return part;
}

/* trace-id "-" span-id ["-" sampling-state ["-" parent-span-id]]; or the sampling state alone. */
static bool parse_b3(struct trace_context *c, struct span s)
{
	uint8_t parent[SPAN_ID_BYTES];
	struct span state;

	c->is_sampled = false;
	if (!parse_trace_id(next_part(&s), c->trace_id) || !s.ptr ||
	    !parse_span_id(next_part(&s), c->span_id))
		return false;
	if (!s.ptr)
		return true;
	state = next_part(&s);
	c->is_sampled = span_is(state, "1") || span_is(state, "d");
	if (!c->is_sampled && !span_is(state, "0"))
		return false;
	return !s.ptr || parse_span_id(s, parent);
}

static bool parse_field(struct trace_reader *r, enum trace_field field, struct span value)
{
	switch (field) {
	case TRACE_FIELD_TRACEPARENT:
		return parse_traceparent(&r->w3c, value);
	case TRACE_FIELD_B3:
		return parse_b3(&r->b3, value);
	case TRACE_FIELD_B3_TRACE_ID:
		return parse_trace_id(value, r->b3_fields.trace_id);
	case TRACE_FIELD_B3_SPAN_ID:
		return parse_span_id(value, r->b3_fields.span_id);
	case TRACE_FIELD_B3_SAMPLED:
		return span_is(value, "1") || span_is(value, "true");
	default:
		return span_is(value, "1"); /* X-B3-Flags: debug, which implies sampled */
	}
}

void trace_reader_add(struct trace_reader *r, enum trace_field field, struct span value)
{
	if (r->seen & BIT(field) || !parse_field(r, field, value))
		r->invalid |= (uint8_t)BIT(field);
	r->seen |= (uint8_t)BIT(field);
}

bool trace_reader_end(const struct trace_reader *r, struct trace_context *ret)
{
	const unsigned ids = BIT(TRACE_FIELD_B3_TRACE_ID) | BIT(TRACE_FIELD_B3_SPAN_ID);
	const unsigned sampled = BIT(TRACE_FIELD_B3_SAMPLED) | BIT(TRACE_FIELD_B3_FLAGS);
	unsigned valid = r->seen & ~(unsigned)r->invalid;

	if (valid & BIT(TRACE_FIELD_TRACEPARENT)) {
		*ret = r->w3c;
	} else if (valid & BIT(TRACE_FIELD_B3)) {
		*ret = r->b3;
	} else if ((valid & ids) == ids) {
		*ret = r->b3_fields;
		ret->is_sampled = valid & sampled;
	} else {
		return false;
	}
	return true;
}

bool trace_id_parse(struct span text, uint8_t ret_id[TRACE_ID_BYTES])
{
	char digits[TRACE_DIGITS];

	if (text.len > sizeof(digits))
		return false;
	for (size_t i = 0; i < text.len; i++)
		digits[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'F' ? text.ptr[i] | 0x20
									    : text.ptr[i]);
	return parse_trace_id((struct span){digits, text.len}, ret_id);
}
