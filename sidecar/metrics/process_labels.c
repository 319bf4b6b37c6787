/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/process_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/label_values.h"
#include "txn/transaction.h"

/* Processes whose position is remembered: live ones have numbers that follow each other. */
#define SLOTS 1024u

#define NS_PER_SEC	UINT64_C(1000000000)
#define ASKS_PER_SECOND 200
/* Start times are known to a tick of the kernel's clock. */
#define TOLERANCE_NS (NS_PER_SEC / 50)

/* Positions of labels. */
enum {
	NOT_KNOWN,
	PLACE, /* the first of PROCESS_LABELS_PLACES */
	NAME = PLACE + PROCESS_LABELS_PLACES, /* the first of PROCESS_LABELS_NAMES */
	OTHER = NAME + PROCESS_LABELS_NAMES,
	ENDED,
	POSITIONS,
};

_Static_assert(POSITIONS <= 256, "as the header says");

static const struct family_desc overflowed_desc = {
	.name = "sidelight_processes_overflowed_total",
	.help = "Requests whose process_pid is _OTHER: 64 other processes had requests before.",
	.type = METRIC_COUNTER,
};

struct process_labels {
	struct series *overflowed;
	uint64_t second; /* of the last ask */
	unsigned asks; /* in that second */
	unsigned places; /* in use */
	unsigned names;
	struct process_label labels[POSITIONS];
	struct slot {
		uint32_t pid; /* 0: free */
		unsigned position;
		uint64_t told_ns; /* 0: to be asked for */
	} slots[SLOTS];
};

static void set_label(struct process_label *label, const char *name, const char *pid)
{
	(void)snprintf(label->name, sizeof(label->name), "%s", name); /* names have 15 bytes */
	(void)snprintf(label->pid, sizeof(label->pid), "%s", pid);
}

struct process_labels *process_labels_new(struct registry *r)
{
	struct family *overflowed = registry_family(r, &overflowed_desc);
	struct process_labels *p = overflowed ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->overflowed = family_series(overflowed, NULL);
	set_label(&p->labels[OTHER], label_other, label_other);
	set_label(&p->labels[ENDED], txn_unknown, txn_unknown);
	return p;
}

void process_labels_free(struct process_labels *p)
{
	free(p);
}

static struct slot *slot_of(struct process_labels *p, uint32_t pid)
{
	return &p->slots[pid % SLOTS];
}

bool process_labels_asks(struct process_labels *p, uint32_t pid, uint64_t now_ns)
{
	const struct slot *slot = slot_of(p, pid);

	if (!pid || (slot->pid == pid && slot->told_ns && now_ns < slot->told_ns + NS_PER_SEC))
		return false;
	if (now_ns / NS_PER_SEC != p->second) {
		p->second = now_ns / NS_PER_SEC;
		p->asks = 0;
	}
	return p->asks++ < ASKS_PER_SECOND;
}

/* The position of equal labels among `count` from `first` on, which is added if there is room. */
static unsigned place(struct process_labels *p, unsigned first, unsigned *count, unsigned max,
		      const struct process_label *wanted)
{
	for (unsigned i = first; i < first + *count; i++)
		if (strcmp(p->labels[i].name, wanted->name) == 0 &&
		    strcmp(p->labels[i].pid, wanted->pid) == 0)
			return i;
	if (*count == max)
		return OTHER;
	p->labels[first + *count] = *wanted;
	return first + (*count)++;
}

static unsigned position_of(struct process_labels *p, uint32_t pid, const char *name)
{
	struct process_label wanted;
	char digits[sizeof(wanted.pid)];
	unsigned found;

	(void)snprintf(digits, sizeof(digits), "%u", pid);
	set_label(&wanted, name, digits);
	found = place(p, PLACE, &p->places, PROCESS_LABELS_PLACES, &wanted);
	if (found != OTHER)
		return found;
	set_label(&wanted, name, label_other);
	return place(p, NAME, &p->names, PROCESS_LABELS_NAMES, &wanted);
}

void process_labels_tell(struct process_labels *p, uint32_t pid, const char *name,
			 uint64_t started_ns, uint64_t now_ns)
{
	struct slot *slot = slot_of(p, pid);
	bool is_another = started_ns > now_ns + TOLERANCE_NS;

	/* What is remembered is of the process that has ended. */
	if (slot->pid != pid || (*name && !is_another))
		slot->position = *name && !is_another ? position_of(p, pid, name) : ENDED;
	slot->pid = pid;
	slot->told_ns = is_another ? 0 : now_ns;
}

/* Its slot is that of another process now: the latest name of this number. */
static unsigned search(const struct process_labels *p, uint32_t pid)
{
	char digits[sizeof(p->labels[0].pid)];

	(void)snprintf(digits, sizeof(digits), "%u", pid);
	for (unsigned i = PLACE + p->places; i-- > PLACE;)
		if (strcmp(p->labels[i].pid, digits) == 0)
			return i;
	return ENDED;
}

unsigned process_labels_find(struct process_labels *p, uint32_t pid)
{
	const struct slot *slot = slot_of(p, pid);
	unsigned position;

	if (!pid)
		return NOT_KNOWN;
	position = slot->pid == pid ? slot->position : search(p, pid);
	if (position >= NAME && position <= OTHER)
		series_add(p->overflowed, 1);
	return position;
}

const struct process_label *process_labels_at(const struct process_labels *p, unsigned position)
{
	return &p->labels[position];
}
