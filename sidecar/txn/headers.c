/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/headers.h"

#include <string.h>

#include "base/redact.h"
#include "base/word_list.h"

#define ALLOC_MIN 512u

/* What stands before name and value; not aligned. */
struct header_entry {
	uint16_t name_len;
	uint16_t value_len;
	uint8_t section;
	uint8_t unused; /* 0: no padding, which would be the bytes of something else */
};

/* A partial line may be as long as all fields together. */
#define DATA_MAX (2 * HEADERS_BYTES_MAX)
_Static_assert(DATA_MAX <= UINT16_MAX, "lengths have 16 bits");

bool header_wish_has(const char *names, struct span name)
{
	return strcmp(names, "all") == 0 || word_list_matches(names, name);
}

bool header_wishes_have(const struct header_wishes *w, struct span name)
{
	for (const struct header_wish *wish = w->first; wish; wish = wish->next)
		if (header_wish_has(wish->names, name))
			return true;
	return false;
}

/* Room for so many bytes more. False: there is none, and *h may be NULL. */
static bool make_room(struct headers **h, struct memory_account *memory, size_t bytes)
{
	size_t used = *h ? (size_t)(*h)->len + (*h)->partial_len : 0;
	size_t alloc = *h ? (*h)->alloc : 0;
	struct headers *larger;

	if (*h && bytes <= alloc - used)
		return true;
	if (bytes > DATA_MAX - used)
		return false;
	for (alloc = alloc ? alloc : ALLOC_MIN; alloc < used + bytes; alloc *= 2)
		;
	larger = memory_realloc(memory, *h, sizeof(**h) + alloc);
	if (!larger)
		return false;
	if (!*h)
		*larger = (struct headers){0};
	larger->alloc = (uint16_t)alloc;
	*h = larger;
	return true;
}

static void cut(struct headers *h)
{
	if (h)
		h->is_cut = true;
}

void headers_see(struct headers **h, struct memory_account *memory, enum header_section section)
{
	if (make_room(h, memory, 0))
		(*h)->sections |= (uint8_t)(1u << section);
}

void headers_cut(struct headers **h, struct memory_account *memory)
{
	(void)make_room(h, memory, 0); /* without memory there is nothing that could be cut */
	cut(*h);
}

/* A field that is redacted already. */
static void append(struct headers **h, struct memory_account *memory, enum header_section section,
		   struct span name, struct span value)
{
	const struct header_entry entry = {.name_len = (uint16_t)name.len,
					   .value_len = (uint16_t)value.len,
					   .section = (uint8_t)section};
	size_t bytes = sizeof(entry) + name.len + value.len;
	size_t used = *h ? (*h)->len : 0;
	char *to;

	if (bytes > HEADERS_BYTES_MAX - used || !make_room(h, memory, bytes)) {
		cut(*h);
		return;
	}
	to = (*h)->data + used;
	memmove(to + bytes, to, (*h)->partial_len);
	memcpy(to, &entry, sizeof(entry));
	memcpy(to + sizeof(entry), name.ptr, name.len);
	if (value.len)
		memcpy(to + sizeof(entry) + name.len, value.ptr, value.len);
	(*h)->len = (uint16_t)(used + bytes);
	(*h)->sections |= (uint8_t)(1u << section);
}

void headers_add(struct headers **h, struct memory_account *memory, enum header_section section,
		 struct span name, struct span value)
{
	char shown[REDACT_TARGET_MAX];
	bool is_cut = false;
	size_t len;

	if (name.len > HEADERS_NAME_MAX) {
		headers_cut(h, memory);
		return;
	}
	len = redact_header(name, value, shown, sizeof(shown), &is_cut);
	append(h, memory, section, name, (struct span){shown, len});
	if (is_cut)
		cut(*h);
}

void headers_add_all(struct headers **h, struct memory_account *memory, enum header_section section,
		     const struct headers *from)
{
	struct header_field f;

	headers_see(h, memory, section);
	for (size_t at = 0; headers_next(from, &at, &f);)
		append(h, memory, section, f.name, f.value);
	if (from->is_cut)
		cut(*h);
}

static struct span trimmed(struct span s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = span_from(s, 1);
	while (s.len && strchr(" \t\r", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* A field line without its line feed. */
static void add_line(struct headers **h, struct memory_account *memory, enum header_section section,
		     struct span line, const struct header_wishes *wishes)
{
	const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
	struct span name;

	if (!colon)
		return;
	name = trimmed((struct span){line.ptr, (size_t)(colon - line.ptr)});
	if (name.len && header_wishes_have(wishes, name))
		headers_add(h, memory, section, name,
			    trimmed(span_from(line, (size_t)(colon + 1 - line.ptr))));
}

/* Whole lines. */
static void add_lines(struct headers **h, struct memory_account *memory,
		      enum header_section section, struct span lines,
		      const struct header_wishes *wishes)
{
	while (lines.len) {
		const char *lf = memchr(lines.ptr, '\n', lines.len);
		size_t len = lf ? (size_t)(lf - lines.ptr) : lines.len;

		add_line(h, memory, section, (struct span){lines.ptr, len}, wishes);
		lines = span_from(lines, lf ? len + 1 : len);
	}
}

void headers_add_lines(struct headers **h, struct memory_account *memory,
		       enum header_section section, struct span lines,
		       const struct header_wishes *wishes)
{
	headers_see(h, memory, section);
	add_lines(h, memory, section, lines, wishes);
}

/* The rest of a line that began in an earlier segment is ignored: it may be a part of a secret. */
static void drop_line(struct headers *h, unsigned section)
{
	h->dropped_lines |= (uint8_t)(1u << section);
	h->is_cut = true;
}

/* The partial line grows. */
static void add_partial(struct headers **h, struct memory_account *memory,
			enum header_section section, struct span bytes)
{
	if (!bytes.len)
		return;
	if ((*h)->partial_len && (*h)->partial_section != section) {
		drop_line(*h, (*h)->partial_section);
		(*h)->partial_len = 0;
	}
	if (bytes.len > HEADERS_BYTES_MAX - (*h)->partial_len || !make_room(h, memory, bytes.len)) {
		drop_line(*h, section);
		(*h)->partial_len = 0;
		return;
	}
	memcpy((*h)->data + (*h)->len + (*h)->partial_len, bytes.ptr, bytes.len);
	(*h)->partial_len = (uint16_t)((*h)->partial_len + bytes.len);
	(*h)->partial_section = (uint8_t)section;
}

/* The partial line is whole. */
static void end_partial(struct headers **h, struct memory_account *memory,
			const struct header_wishes *wishes)
{
	char line[HEADERS_NAME_MAX + REDACT_TARGET_MAX + 16];
	struct span s = {line, (*h)->partial_len};

	if (s.len > sizeof(line)) {
		s.len = sizeof(line);
		cut(*h);
	}
	memcpy(line, (*h)->data + (*h)->len, s.len);
	(*h)->partial_len = 0;
	add_line(h, memory, (enum header_section)(*h)->partial_section, s, wishes);
}

/* The end of the line that began in an earlier segment. Returns the bytes after it. */
static struct span end_line(struct headers **h, struct memory_account *memory,
			    enum header_section section, struct span bytes,
			    const struct header_wishes *wishes)
{
	const char *lf = memchr(bytes.ptr, '\n', bytes.len);
	struct span rest = {bytes.ptr, (size_t)(lf - bytes.ptr)};
	unsigned bit = 1u << section;

	if (!((*h)->dropped_lines & bit)) {
		add_partial(h, memory, section, rest);
		if ((*h)->partial_len && (*h)->partial_section == section)
			end_partial(h, memory, wishes);
	}
	(*h)->dropped_lines &= (uint8_t)~bit;
	return span_from(bytes, rest.len + 1);
}

void headers_add_trailers(struct headers **h, struct memory_account *memory,
			  enum header_section section, struct span bytes,
			  const struct header_wishes *wishes)
{
	const char *last = bytes.len ? memrchr(bytes.ptr, '\n', bytes.len) : NULL;
	bool is_inside;

	headers_see(h, memory, section);
	if (!*h)
		return;
	is_inside = (*h)->dropped_lines >> section & 1 ||
		    ((*h)->partial_len && (*h)->partial_section == section);
	if (last && is_inside)
		bytes = end_line(h, memory, section, bytes, wishes);
	else if ((*h)->dropped_lines >> section & 1)
		return;
	if (last) {
		size_t len = (size_t)(last + 1 - bytes.ptr);

		add_lines(h, memory, section, (struct span){bytes.ptr, len}, wishes);
		bytes = span_from(bytes, len);
	}
	add_partial(h, memory, section, bytes);
}

size_t headers_copy_bytes(const struct headers *h)
{
	return sizeof(*h) + h->len;
}

struct headers *headers_copy(const struct headers *h, struct memory_account *memory,
			     const struct header_wishes *wishes)
{
	struct headers *copy = memory_alloc(memory, headers_copy_bytes(h));
	struct header_field f;

	if (!copy)
		return NULL;
	*copy = (struct headers){
		.alloc = h->len, .weight = h->weight, .sections = h->sections, .is_cut = h->is_cut};
	for (size_t at = 0; headers_next(h, &at, &f);)
		if (header_wishes_have(wishes, f.name))
			append(&copy, memory, f.section, f.name, f.value); /* has room */
	return copy;
}

void headers_retain(struct headers *h, const struct header_wishes *wishes)
{
	struct header_field f;
	size_t kept = 0;
	size_t start = 0;

	for (size_t at = 0; headers_next(h, &at, &f); start = at) {
		if (!header_wishes_have(wishes, f.name))
			continue;
		memmove(h->data + kept, h->data + start, at - start);
		kept += at - start;
	}
	h->len = (uint16_t)kept;
}

bool headers_next(const struct headers *h, size_t *at, struct header_field *ret)
{
	struct header_entry entry;
	const char *p = h->data + *at;

	if (*at >= h->len)
		return false;
	memcpy(&entry, p, sizeof(entry));
	p += sizeof(entry);
	ret->section = (enum header_section)entry.section;
	ret->name = (struct span){p, entry.name_len};
	ret->value = (struct span){p + entry.name_len, entry.value_len};
	*at += sizeof(entry) + entry.name_len + entry.value_len;
	return true;
}
