/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pairs.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	text[len] = '\0';
	return text + strspn(text, " \t");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: the result is never longer. False: it is malformed. */
static bool decode(char *value)
{
	char *to = value;

	for (const char *from = value; *from; from++) {
		char c = *from;

		if (c == '%') {
			int high = hex_digit(from[1]);
			int low = high < 0 ? -1 : hex_digit(from[2]);

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			from += 2;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return false;
		*to++ = c;
	}
	*to = '\0';
	return true;
}

static bool is_key(const char *key)
{
	for (const char *c = key; *c; c++)
		if (!isgraph((unsigned char)*c))
			return false;
	return *key != '\0';
}

static struct pair *find(const struct pairs *p, const char *key)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->list[i].key, key) == 0)
			return &p->list[i];
	return NULL;
}

/* One member of the list, which ends at len; false: it is malformed. */
static bool add(struct pairs *p, char *member, size_t len)
{
	char *equals;
	char *key;
	char *value;
	struct pair *pair;

	member = trim(member, len);
	if (!*member)
		return true; /* as between two commas */
	equals = strchr(member, '=');
	if (!equals)
		return false;
	value = trim(equals + 1, strlen(equals + 1));
	key = trim(member, (size_t)(equals - member));
	if (!is_key(key) || !decode(value))
		return false;
	pair = find(p, key);
	if (!pair) {
		if (p->count == PAIRS_MAX)
			return false;
		pair = &p->list[p->count++];
	}
	*pair = (struct pair){key, value};
	return true;
}

int pairs_parse(struct pairs *ret_pairs, const char *list)
{
	bool is_valid = strnlen(list, PAIRS_BYTES_MAX + 1) <= PAIRS_BYTES_MAX;
	struct pairs p = {0};
	char *next;

	*ret_pairs = p;
	if (!is_valid)
		return -EINVAL;
	p.text = strdup(list);
	p.list = calloc(PAIRS_MAX, sizeof(p.list[0]));
	if (!p.text || !p.list) {
		pairs_release(&p);
		return -ENOMEM;
	}
	for (char *member = p.text; member && is_valid; member = next) {
		size_t len = strcspn(member, ",");

		next = member[len] ? member + len + 1 : NULL;
		is_valid = add(&p, member, len);
	}
	if (!is_valid) {
		pairs_release(&p);
		return -EINVAL;
	}
	*ret_pairs = p;
	return 0;
}

void pairs_release(struct pairs *p)
{
	for (size_t i = 0; i < p->count; i++)
		explicit_bzero((char *)p->list[i].value, strlen(p->list[i].value));
	free(p->list);
	free(p->text);
	*p = (struct pairs){0};
}

const char *pairs_find(const struct pairs *p, const char *key)
{
	const struct pair *pair = find(p, key);

	return pair ? pair->value : NULL;
}
