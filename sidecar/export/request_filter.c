/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/value.h"
#include "base/word_list.h"
#include "proto/grpc.h"

/* "[" IPv6 "]:65535" */
#define PEER_SIZE (INET6_ADDRSTRLEN + 8)

/* Codes of gRPC that have a name. */
#define GRPC_NAMES 17

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool add_status(struct request_filter *f, unsigned low, unsigned high, bool is_grpc)
{
	size_t i = f->status_count;

	if (i == FILTER_STATUSES_MAX)
		return false;
	f->status[i].low = (uint16_t)low;
	f->status[i].high = (uint16_t)high;
	f->status[i].is_grpc = is_grpc;
	f->status_count++;
	return true;
}

static bool set_status(struct request_filter *f, struct span word)
{
	char digits[GRPC_STATUS_SIZE];
	const char *s = word.ptr;

	if (word.len == 5 && strncasecmp(s, "error", 5) == 0)
		return f->wants_errors = true;
	if (word.len == 4 && strncasecmp(s, "none", 4) == 0)
		return f->wants_unanswered = true;
	if (word.len == 3 && s[0] >= '1' && s[0] <= '9') {
		unsigned hundred = (unsigned)(s[0] - '0') * 100;

		if (fold(s[1]) == 'x' && fold(s[2]) == 'x')
			return add_status(f, hundred, hundred + 99, false);
		if (s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9') {
			hundred += (unsigned)(s[1] - '0') * 10 + (unsigned)(s[2] - '0');
			return add_status(f, hundred, hundred, false);
		}
	}
	for (unsigned i = 0; i < GRPC_NAMES; i++) {
		const char *name = grpc_status_name(i, digits);

		if (word.len == strlen(name) && strncasecmp(s, name, word.len) == 0)
			return add_status(f, i, i, true);
	}
	return false;
}

static int set_statuses(struct request_filter *f, const char *list, struct text *error)
{
	const char *rest = list;
	struct span word;

	while (word_list_next(&rest, &word)) {
		if (set_status(f, word))
			continue;
		text_addf(error,
			  "status: \"%s\" is no list (of at most %d) of 404, 5xx, UNAVAILABLE, "
			  "error and none",
			  list, FILTER_STATUSES_MAX);
		return -EINVAL;
	}
	return 0;
}

static int check(int err, const char *key, const char *value, const char *want, struct text *error)
{
	if (err)
		text_addf(error, "%s: \"%s\" is not %s", key, value, want);
	return err;
}

int request_filter_set(struct request_filter *f, const char *key, const char *value,
		       struct text *error)
{
	const struct {
		const char *key;
		const char **value;
	} lists[] = {{"route", &f->route},
		     {"method", &f->method},
		     {"peer", &f->peer},
		     {"container", &f->container},
		     {"header", &f->header}};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(key, lists[i].key) == 0) {
			*lists[i].value = value;
			return 0;
		}
	}
	if (strcmp(key, "status") == 0)
		return set_statuses(f, value, error);
	if (strcmp(key, "trace-id") == 0) {
		f->has_trace_id = true;
		return check(trace_id_parse(span_of(value), f->trace_id) ? 0 : -EINVAL, key, value,
			     "32 hexadecimal digits (or 16, of B3), not all zero", error);
	}
	if (strcmp(key, "last") == 0)
		return check(value_duration(value, &f->last_ms), key, value,
			     "a time like 30s, 5m or 1h", error);
	if (strcmp(key, "min-duration") == 0)
		return check(value_duration(value, &f->min_duration_ms), key, value,
			     "a time like 100ms or 2s", error);
	if (strcmp(key, "process") == 0)
		return check(value_number(value, &f->process), key, value, "a number", error);
	if (strcmp(key, "thread") == 0)
		return check(value_number(value, &f->thread), key, value, "a number", error);
	if (strcmp(key, "count") == 0)
		return check(value_number(value, &f->count), key, value, "a number", error);
	return -ENOENT;
}

static bool has_status(const struct request_filter *f, const struct record *e)
{
	bool is_grpc = e->protocol == TXN_GRPC;

	if ((f->wants_errors && record_is_error(e)) || (f->wants_unanswered && !e->status))
		return true;
	for (size_t i = 0; i < f->status_count; i++) {
		unsigned status = f->status[i].is_grpc ? e->grpc_status : e->status;

		if (f->status[i].is_grpc <= is_grpc && status >= f->status[i].low &&
		    status <= f->status[i].high)
			return true;
	}
	return false;
}

static bool has_peer(const char *list, const struct endpoint *peer)
{
	char text[PEER_SIZE];
	char addr[INET6_ADDRSTRLEN];
	const char *rest = list;
	struct span word;

	/* The buffer holds any address. */
	if (!inet_ntop(peer->family == 6 ? AF_INET6 : AF_INET, peer->addr, addr, sizeof(addr)))
		return false;
	(void)snprintf(text, sizeof(text), peer->family == 6 ? "[%s]:%u" : "%s:%u", addr,
		       peer->port); /* has room */
	while (word_list_next(&rest, &word))
		if (word_matches(word, span_of(addr)) || word_matches(word, span_of(text)))
			return true;
	return false;
}

static bool has_method(const char *list, const struct record *e)
{
	if (e->protocol == TXN_GRPC && word_list_matches(list, span_of("GRPC")))
		return true;
	return word_list_matches(list, record_method(e));
}

static bool has_trace_id(const struct request_filter *f, const struct record *e)
{
	const struct trace_context *trace = record_trace(e);

	return trace && memcmp(trace->trace_id, f->trace_id, sizeof(f->trace_id)) == 0;
}

bool request_filter_matches(const struct request_filter *f, const struct record *e,
			    const char *container, uint64_t since_ns)
{
	bool has_statuses = f->status_count || f->wants_errors || f->wants_unanswered;

	return e->end_ns >= since_ns &&
	       e->end_ns - e->start_ns >= f->min_duration_ms * UINT64_C(1000000) &&
	       (!has_statuses || has_status(f, e)) &&
	       (!f->route || word_list_matches(f->route, span_of(e->route))) &&
	       (!f->method || has_method(f->method, e)) && (!f->process || f->process == e->tgid) &&
	       (!f->thread || f->thread == e->tid) && (!f->peer || has_peer(f->peer, &e->remote)) &&
	       (!f->has_trace_id || has_trace_id(f, e)) &&
	       (!f->container || word_list_matches(f->container, span_of(container)));
}

/* Splits a word of the condition; no `=`: any value. */
static struct span header_name(struct span word, struct span *ret_value)
{
	const char *equals = word.len ? memchr(word.ptr, '=', word.len) : NULL;
	size_t len = equals ? (size_t)(equals - word.ptr) : word.len;

	*ret_value = equals ? span_from(word, len + 1) : (struct span){"*", 1};
	return (struct span){word.ptr, len};
}

static bool field_matches(const char *words, const struct header_field *field)
{
	struct span word;

	while (word_list_next(&words, &word)) {
		struct span value;

		if (word_matches(header_name(word, &value), field->name) &&
		    word_matches(value, field->value))
			return true;
	}
	return false;
}

bool request_filter_has_header(const struct request_filter *f, const struct headers *h)
{
	struct header_field field;

	if (!f->header)
		return true;
	for (size_t at = 0; h && headers_next(h, &at, &field);)
		if (field_matches(f->header, &field))
			return true;
	return false;
}

char *request_filter_header_names(const struct request_filter *f)
{
	const char *words = f->header;
	struct text names;
	struct span word;
	struct span value;

	text_init(&names);
	while (word_list_next(&words, &word)) {
		text_add(&names, names.len ? "," : "");
		text_add_span(&names, header_name(word, &value));
	}
	if (!names.has_failed && names.len)
		return names.ptr;
	text_release(&names);
	return NULL;
}
