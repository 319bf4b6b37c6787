/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/listing.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Level of nesting: the answer, its data, a group. */
#define DEPTH_GROUP 3
/* Longest name of a member that is of interest, and then some. */
#define KEY_MAX 64

static const char *const member_names[MEMBER_MAX] = {
	[MEMBER_LABELS] = "labels",
	[MEMBER_PUSHED] = "push_time_seconds",
	[MEMBER_FAILED] = "push_failure_time_seconds",
};

void listing_init(struct listing *l, void (*on_group)(void *ctx, const struct listed_group *group),
		  void *ctx)
{
	*l = (struct listing){.on_group = on_group, .ctx = ctx, .member = MEMBER_MAX};
	text_init(&l->key);
	for (size_t i = 0; i < MEMBER_MAX; i++)
		text_init(&l->kept[i]);
}

void listing_release(struct listing *l)
{
	text_release(&l->key);
	for (size_t i = 0; i < MEMBER_MAX; i++)
		text_release(&l->kept[i]);
}

/* A group's members are named at this place only: {"data": [{ */
static bool is_in_group(const struct listing *l)
{
	return l->depth == DEPTH_GROUP && l->open[0] == '{' && l->open[1] == '[' &&
	       l->open[2] == '{';
}

/* [a-zA-Z_][a-zA-Z0-9_]*: others cannot stand in the path of a group. */
static bool is_label_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				      "0123456789";

	return *name && !strchr("0123456789", *name) && name[strspn(name, letters)] == '\0';
}

static bool is_grouping_key(const cJSON *labels)
{
	const cJSON *job = cJSON_GetObjectItemCaseSensitive(labels, "job");
	const cJSON *one;

	if (!cJSON_IsObject(labels) || !cJSON_IsString(job) || !*job->valuestring)
		return false;
	cJSON_ArrayForEach(one, labels) if (!cJSON_IsString(one) ||
					    !is_label_name(one->string)) return false;
	return true;
}

/* The value of the first series, a number in a string; 0 if there is none. */
static double read_time(const struct text *kept)
{
	cJSON *metric = cJSON_ParseWithLength(kept->ptr, kept->len);
	const cJSON *series =
		cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(metric, "metrics"), 0);
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(series, "value");
	double seconds = 0;
	char *end;

	if (cJSON_IsString(value)) {
		seconds = strtod(value->valuestring, &end);
		if (*end || !isfinite(seconds))
			seconds = 0;
	}
	cJSON_Delete(metric);
	return seconds;
}

static void end_group(struct listing *l)
{
	const struct text *labels = &l->kept[MEMBER_LABELS];
	struct listed_group group = {0};
	cJSON *parsed = NULL;
	double failed_s;

	/* cJSON would end a value at a NUL, and the name be another group's. */
	if (!l->is_over_cap && !strstr(labels->ptr, "\\u0000"))
		parsed = cJSON_ParseWithLength(labels->ptr, labels->len);
	if (is_grouping_key(parsed)) {
		group.labels = parsed;
		group.pushed_s = read_time(&l->kept[MEMBER_PUSHED]);
		failed_s = read_time(&l->kept[MEMBER_FAILED]);
		if (failed_s > group.pushed_s)
			group.pushed_s = failed_s;
		l->on_group(l->ctx, &group);
	} else {
		l->unusable++;
	}
	cJSON_Delete(parsed);
	for (size_t i = 0; i < MEMBER_MAX; i++)
		text_clear(&l->kept[i]);
	l->is_over_cap = false;
}

static enum listing_member member_of(const struct text *key)
{
	enum listing_member m = 0;

	while (m < MEMBER_MAX && strcmp(key->ptr, member_names[m]) != 0)
		m++;
	return m;
}

/* Bytes of a value, all of them, if it is one that is kept. */
static void keep(struct listing *l, char c)
{
	if (l->member == MEMBER_MAX)
		return;
	if (l->kept[l->member].len < LISTING_KEPT_MAX)
		text_add_char(&l->kept[l->member], c);
	else
		l->is_over_cap = true;
}

static void in_string(struct listing *l, char c)
{
	if (l->is_escaped)
		l->is_escaped = false;
	else if (c == '\\')
		l->is_escaped = true;
	else if (c == '"')
		l->in_string = false;
	if (l->wants_key && is_in_group(l)) {
		if (l->in_string && l->key.len < KEY_MAX)
			text_add_char(&l->key, c);
	} else {
		keep(l, c);
	}
}

static int open_bracket(struct listing *l, char c)
{
	if (l->depth == LISTING_DEPTH_MAX || l->is_done)
		return -EINVAL;
	keep(l, c);
	l->open[l->depth++] = c;
	if (is_in_group(l))
		l->wants_key = true;
	return 0;
}

static int close_bracket(struct listing *l, char c)
{
	bool ends_group = is_in_group(l);

	if (l->depth == 0 || l->open[l->depth - 1] != (c == '}' ? '{' : '['))
		return -EINVAL;
	if (ends_group)
		l->member = MEMBER_MAX;
	keep(l, c);
	l->depth--;
	if (ends_group)
		end_group(l);
	l->is_done = l->depth == 0;
	return 0;
}

static int outside_string(struct listing *l, char c)
{
	bool in_group = is_in_group(l);

	switch (c) {
	case '{':
	case '[':
		return open_bracket(l, c);
	case '}':
	case ']':
		return close_bracket(l, c);
	case '"':
		l->in_string = true;
		if (in_group && l->wants_key)
			text_clear(&l->key);
		else
			keep(l, c);
		break;
	case ':':
		if (in_group && l->wants_key) {
			l->wants_key = false;
			l->member = member_of(&l->key);
			/* The same name twice: the last one holds. */
			if (l->member != MEMBER_MAX)
				text_clear(&l->kept[l->member]);
		} else {
			keep(l, c);
		}
		break;
	case ',':
		if (in_group) {
			l->member = MEMBER_MAX;
			l->wants_key = true;
		} else {
			keep(l, c);
		}
		break;
	default:
		keep(l, c);
		break;
	}
	/* Nothing but an object at the top. */
	return l->depth == 0 && !(c && strchr(" \t\r\n", c)) ? -EINVAL : 0;
}

int listing_feed(struct listing *l, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int err = 0;

		if (l->in_string)
			in_string(l, data[i]);
		else
			err = outside_string(l, data[i]);
		if (err)
			return err;
	}
	for (size_t i = 0; i < MEMBER_MAX; i++)
		if (l->kept[i].has_failed)
			return -ENOMEM;
	return l->key.has_failed ? -ENOMEM : 0;
}

int listing_end(const struct listing *l)
{
	return l->is_done && !l->in_string ? 0 : -EINVAL;
}
