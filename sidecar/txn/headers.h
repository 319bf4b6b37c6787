/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of one request with its response, as far as somebody wants them: without the
 * secrets in them (base/redact.h), which are never stored.
 *
 * Invariants, true between any two calls:
 *   - len + partial_len <= alloc, and len <= HEADERS_BYTES_MAX;
 *   - data[0, len) are whole fields: struct header_entry, then name and value;
 *   - data[len, len + partial_len) is the beginning of a line of a trailer section of HTTP/1, which
 *     is not a field yet and may hold a secret.
 */
#ifndef SIDELIGHT_TXN_HEADERS_H
#define SIDELIGHT_TXN_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"

/* The fields of one request, with what stands before each. Further ones are left out. */
#define HEADERS_BYTES_MAX 8192u
/* A field with a longer name is left out. */
#define HEADERS_NAME_MAX 256u

enum header_section {
	HEADERS_REQUEST,
	HEADERS_RESPONSE, /* of the final response */
	HEADERS_REQUEST_TRAILERS,
	HEADERS_RESPONSE_TRAILERS,
	HEADER_SECTIONS,
};

struct headers {
	uint16_t alloc; /* bytes of data */
	uint16_t len;
	uint16_t partial_len;
	uint16_t weight; /* of the stream's priority in HTTP/2, from 1 to 256; 0: none was sent */
	uint8_t partial_section; /* enum header_section */
	uint8_t sections; /* bit i: fields of section i were looked at */
	uint8_t dropped_lines; /* bit i: the rest of the current line of section i is ignored */
	bool is_cut; /* fields are missing, or values are cut */
	char data[];
};

/* A list of names that somebody wants, as base/word_list.h has them; all zeros: of nobody. */
struct header_wish {
	const char *names; /* borrowed; "all": every field */
	struct header_wish *next;
};

/* What is wanted by one or the other. */
struct header_wishes {
	struct header_wish *first; /* NULL: nothing */
};

bool header_wish_has(const char *names, struct span name);
bool header_wishes_have(const struct header_wishes *w, struct span name);

/* A field of a head; spans are borrowed. *h may be NULL at first, and moves. */
void headers_add(struct headers **h, struct memory_account *memory, enum header_section section,
		 struct span name, struct span value);

/* The fields of `from`, which all get this section, and whether they are cut. */
void headers_add_all(struct headers **h, struct memory_account *memory, enum header_section section,
		     const struct headers *from);

/*
 * The field lines of a head of HTTP/1 as on the wire, continuation lines joined, of which the
 * wanted ones are added. Lines without a name are malformed, and left out.
 */
void headers_add_lines(struct headers **h, struct memory_account *memory,
		       enum header_section section, struct span lines,
		       const struct header_wishes *wishes);

/* The next bytes of a trailer section of HTTP/1, cut anywhere. */
void headers_add_trailers(struct headers **h, struct memory_account *memory,
			  enum header_section section, struct span bytes,
			  const struct header_wishes *wishes);

/* The bytes of a trailer section so far end inside of a line. */
static inline bool headers_are_inside_line(const struct headers *h)
{
	return h->partial_len || h->dropped_lines;
}

/* The section was looked at, whether it has wanted fields or not. */
void headers_see(struct headers **h, struct memory_account *memory, enum header_section section);

/* The head has more fields than those that were added. */
void headers_cut(struct headers **h, struct memory_account *memory);

/* A copy of the fields that are still wanted, without partial lines. NULL: no memory. */
struct headers *headers_copy(const struct headers *h, struct memory_account *memory,
			     const struct header_wishes *wishes);
/* What a copy takes. */
size_t headers_copy_bytes(const struct headers *h);
/* Fields that are not wanted any more are removed. */
void headers_retain(struct headers *h, const struct header_wishes *wishes);

/* One field of those that are stored. */
struct header_field {
	enum header_section section;
	struct span name;
	struct span value;
};

/* The next field; *at is 0 for the first one. False: there is none. */
bool headers_next(const struct headers *h, size_t *at, struct header_field *ret);

#endif
