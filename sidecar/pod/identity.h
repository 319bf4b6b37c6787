/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we report for: the labels that all series share.
 *
 * In a Pod the downward API gives them; elsewhere there is the host's name and
 * nothing else. No name is guessed from another: what nobody has said is "",
 * and is left out of series and grouping keys.
 */
#ifndef SIDELIGHT_POD_IDENTITY_H
#define SIDELIGHT_POD_IDENTITY_H

#include <stdbool.h>

/* Values longer than this are cut, at a whole UTF-8 character. */
#define IDENTITY_VALUE_MAX 256

struct identity {
	char job[IDENTITY_VALUE_MAX]; /* never "" */
	char namespace[IDENTITY_VALUE_MAX];
	char pod[IDENTITY_VALUE_MAX];
	char node[IDENTITY_VALUE_MAX];
	char workload[IDENTITY_VALUE_MAX];
	char instance[IDENTITY_VALUE_MAX]; /* the host's name; "" in a Pod */
};

/* What was said, NULL where nothing was. */
struct identity_words {
	const char *job;
	const char *namespace;
	const char *pod;
	const char *node;
	const char *workload;
};

/* job is the one said, else the workload, else "sidelight". Bytes that are not UTF-8 and control
 * characters become '_': a gateway refuses a whole push for one of them. */
void identity_init(struct identity *id, const struct identity_words *words);

/* value as a label's value is to be: clean, and cut. */
void identity_clean(char ret_value[IDENTITY_VALUE_MAX], const char *value);

#endif
