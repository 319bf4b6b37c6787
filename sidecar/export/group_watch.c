/* SPDX-License-Identifier: Apache-2.0 */
#include "export/group_watch.h"

#include <stdlib.h>
#include <string.h>

#define FAMILY "push_time_seconds"
/* Of the name that every series of a gateway has (its README, "about the job and instance labels").
 */
#define INSTANCE "instance"

/* A power of four. */
#define CHECK_EVERY    1024
#define POWERS_OF_FOUR 0x5555555555555555u

/* First byte of gzip (RFC 1952 section 2.3.1); no text of metrics begins so. */
#define GZIP_FIRST 0x1f
/* zlib.h: 16 added to a window of 32 KiB is gzip. */
#define GZIP_WINDOW_BITS (15 + 16)

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* As the gateway writes it: labels by name, and instance even if it is empty. */
bool group_watch_init(struct group_watch *w, const struct label *group, size_t count)
{
	struct label *sorted = calloc(count + 1, sizeof(*sorted));
	bool has_instance = false;

	*w = (struct group_watch){0};
	text_init(&w->line);
	if (!sorted)
		return false;
	for (size_t i = 0; i < count; i++) {
		sorted[i] = group[i];
		has_instance |= strcmp(group[i].name, INSTANCE) == 0;
	}
	if (!has_instance)
		sorted[count++] = (struct label){INSTANCE, ""};
	qsort(sorted, count, sizeof(*sorted), by_name);
	text_add(&w->line, FAMILY "{");
	for (size_t i = 0; i < count; i++) {
		text_addf(&w->line, "%s%s=\"", i ? "," : "", sorted[i].name);
		text_add_label_value(&w->line, sorted[i].value);
		text_add_char(&w->line, '"');
	}
	text_add(&w->line, "} ");
	free(sorted);
	return !w->line.has_failed;
}

static void end_inflate(struct group_watch *w)
{
	if (w->is_gzip)
		(void)inflateEnd(&w->z); /* it was initialised */
	w->is_gzip = false;
}

void group_watch_release(struct group_watch *w)
{
	end_inflate(w);
	text_release(&w->line);
}

bool group_watch_is_due(uint64_t pushes)
{
	if (pushes % CHECK_EVERY == 0)
		return true;
	return (pushes & (pushes - 1)) == 0 && pushes & POWERS_OF_FOUR;
}

bool group_watch_accepted(struct group_watch *w)
{
	w->first[0] = '\0';
	w->pushes++;
	return group_watch_is_due(w->pushes);
}

bool group_watch_is_pending(const struct group_watch *w)
{
	return w->first[0] != '\0';
}

void group_watch_forget(struct group_watch *w)
{
	w->first[0] = '\0';
}

void group_watch_begin(struct group_watch *w)
{
	end_inflate(w);
	w->time[0] = '\0';
	w->time_len = 0;
	w->matched = 0;
	w->is_other_line = false;
	w->is_found = false;
	w->is_malformed = false;
	w->has_begun = false;
	w->bytes = 0;
}

/* A byte of a line that may be ours. */
static void take_byte(struct group_watch *w, char c)
{
	if (w->matched < w->line.len) {
		w->is_other_line = c != w->line.ptr[w->matched];
		w->matched++;
	} else if (c == '\n') {
		w->is_found = w->time_len > 0;
	} else if (w->time_len + 1 < sizeof(w->time)) {
		w->time[w->time_len++] = c;
		w->time[w->time_len] = '\0';
	}
}

static void take_text(struct group_watch *w, struct span text)
{
	const char *end = text.ptr + text.len;
	const char *p = text.ptr;

	w->bytes += text.len;
	w->is_malformed |= w->bytes > GROUP_PAGE_MAX;
	while (p < end && !w->is_found) {
		if (!w->is_other_line) {
			take_byte(w, *p);
			if (!w->is_other_line || *p != '\n')
				p++;
			continue;
		}
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			return;
		p++;
		w->is_other_line = false;
		w->matched = 0;
	}
}

static void take_gzip(struct group_watch *w, struct span part)
{
	char text[8192];
	int err = Z_OK;

	w->z.next_in = (Bytef *)part.ptr;
	w->z.avail_in = (uInt)part.len;
	do {
		w->z.next_out = (Bytef *)text;
		w->z.avail_out = sizeof(text);
		err = inflate(&w->z, Z_NO_FLUSH);
		take_text(w, (struct span){text, sizeof(text) - w->z.avail_out});
	} while (err == Z_OK && w->z.avail_out == 0 && !w->is_found && !w->is_malformed);
	w->is_malformed |= err != Z_OK && err != Z_STREAM_END && err != Z_BUF_ERROR;
}

bool group_watch_read(void *ctx, struct span part)
{
	struct group_watch *w = ctx;

	if (part.len == 0)
		return true;
	if (!w->has_begun && (unsigned char)part.ptr[0] == GZIP_FIRST) {
		w->z = (z_stream){0};
		w->is_gzip = inflateInit2(&w->z, GZIP_WINDOW_BITS) == Z_OK;
		w->is_malformed = !w->is_gzip;
	}
	w->has_begun = true;
	if (w->is_malformed)
		return false;
	if (w->is_gzip)
		take_gzip(w, part);
	else
		take_text(w, part);
	return !w->is_found && !w->is_malformed;
}

enum push_group group_watch_end(struct group_watch *w, bool is_complete)
{
	bool is_second = group_watch_is_pending(w);
	enum push_group result = PUSH_GROUP_UNREAD;

	end_inflate(w);
	if (w->is_found)
		result = is_second && strcmp(w->first, w->time) != 0 ? PUSH_GROUP_FOREIGN
								     : PUSH_GROUP_OWN;
	else if (is_second && is_complete && w->has_begun && !w->is_malformed)
		result = PUSH_GROUP_GONE;
	w->first[0] = '\0';
	if (!is_second && w->is_found)
		memcpy(w->first, w->time, sizeof(w->first));
	return result;
}
