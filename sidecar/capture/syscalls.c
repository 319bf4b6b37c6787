/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/syscalls.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "capture/libbpf_log.h"
#include "capture/programs.h"
#include "capture/syscall_list.h"
#include "pod/privilege.h"
#include "syscalls.skel.h"

/* An error number of a row: most calls fail in no way, some in two or three. */
#define ERRORS_OF_ROW 2

struct syscalls {
	struct syscalls_bpf *bpf;
	uint64_t cgroup_ids[SL_CALL_TARGETS_MAX]; /* 0: the place is free */
};

/* With a reader of the capture's ring, reads are reported there. */
static int share_ring(struct syscalls_bpf *bpf, const struct programs *capture)
{
	const struct ring_layout *ring = capture ? programs_ring(capture) : NULL;
	bool has_ring = ring && ring->seal;
	int shared = 0;

	/* Before loading these four cannot fail. */
	(void)bpf_program__set_autoload(bpf->progs.sl_sys_exit, !has_ring);
	(void)bpf_program__set_autoload(bpf->progs.sl_exit_reads, has_ring);
	(void)bpf_map__set_autocreate(bpf->maps.records, has_ring);
	(void)bpf_map__set_autocreate(bpf->maps.ringbuf, has_ring);
	if (has_ring) {
		bpf->rodata->ring_bytes = ring->bytes;
		bpf->rodata->ring_mask = ring->bytes - 8;
		bpf->rodata->ring_seal = ring->seal;
		shared = programs_share_maps(capture, bpf->obj);
	}
	return shared < 0 ? shared : 0;
}

static int configure(struct syscalls_bpf *bpf, const struct syscalls_options *o)
{
	uint16_t numbers[SL_CALL_NUMBERS];
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return -errno;
	syscall_numbers(numbers, o->begins_at_exec);
	memcpy((void *)bpf->rodata->numbers, numbers, sizeof(numbers));
	bpf->rodata->own_pid_namespace = (uint32_t)ns.st_ino;
	bpf->rodata->by_target = o->by_target;
	bpf->bss->is_counting = !o->begins_at_exec;
	/* Before loading these two cannot fail. */
	(void)bpf_map__set_max_entries(bpf->maps.rows, o->max_rows);
	(void)bpf_map__set_max_entries(bpf->maps.errors, o->max_rows * ERRORS_OF_ROW);
	return share_ring(bpf, o->capture);
}

int syscalls_new(struct syscalls **ret_syscalls, const struct syscalls_options *options)
{
	scoped_privilege int raised = privilege_raise();
	struct syscalls *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	libbpf_log_start();
	s->bpf = syscalls_bpf__open();
	err = s->bpf ? configure(s->bpf, options) : -errno;
	if (!err)
		err = syscalls_bpf__load(s->bpf);
	if (err)
		syscalls_free(s);
	else
		*ret_syscalls = s;
	return err;
}

void syscalls_free(struct syscalls *s)
{
	if (!s)
		return;
	syscalls_bpf__destroy(s->bpf);
	free(s);
}

/* Puts a number at a place, or takes it away; known cgroups are looked at again. */
static void set_number(struct syscalls *s, uint32_t place, uint64_t cgroup_id, uint32_t number)
{
	s->cgroup_ids[place] = cgroup_id;
	s->bpf->bss->target_numbers[place] = number;
	__sync_fetch_and_add(&s->bpf->bss->generation, 1); /* a full barrier */
}

int syscalls_add(struct syscalls *s, int cgroup_fd, uint64_t cgroup_id, uint32_t number)
{
	scoped_privilege int raised = privilege_raise();

	for (uint32_t i = 0; i < SL_CALL_TARGETS_MAX; i++) {
		if (s->cgroup_ids[i])
			continue;
		if (bpf_map_update_elem(bpf_map__fd(s->bpf->maps.targets), &i, &cgroup_fd, BPF_ANY))
			return -errno;
		set_number(s, i, cgroup_id, number);
		return 0;
	}
	return -ENOSPC;
}

void syscalls_remove(struct syscalls *s, uint64_t cgroup_id)
{
	scoped_privilege int raised = privilege_raise();

	for (uint32_t i = 0; i < SL_CALL_TARGETS_MAX; i++) {
		if (s->cgroup_ids[i] != cgroup_id)
			continue;
		set_number(s, i, 0, 0);
		/* It is there. The cgroup is kept by the map until then. */
		(void)bpf_map_delete_elem(bpf_map__fd(s->bpf->maps.targets), &i);
	}
}

/* The one of the two that is loaded. */
static const struct bpf_program *exit_program(const struct syscalls_bpf *bpf)
{
	return bpf_program__autoload(bpf->progs.sl_sys_exit) ? bpf->progs.sl_sys_exit
							     : bpf->progs.sl_exit_reads;
}

bool syscalls_reports_reads(const struct syscalls *s)
{
	return bpf_program__autoload(s->bpf->progs.sl_exit_reads);
}

static int attach(const struct bpf_program *program, struct bpf_link **ret_link)
{
	struct bpf_link *link = bpf_program__attach(program);

	if (!link)
		return -errno;
	*ret_link = link;
	return 0;
}

/*
 * Ends of calls are seen for longer than their beginnings: an open call whose end is missed would
 * end with the next one of its thread.
 */
int syscalls_attach(struct syscalls *s)
{
	scoped_privilege int raised = privilege_raise();
	int err = attach(exit_program(s->bpf), &s->bpf->links.sl_sys_exit);

	return err ? err : attach(s->bpf->progs.sl_sys_enter, &s->bpf->links.sl_sys_enter);
}

void syscalls_detach(struct syscalls *s)
{
	(void)bpf_link__destroy(s->bpf->links.sl_sys_enter); /* closes a descriptor */
	s->bpf->links.sl_sys_enter = NULL;
	(void)bpf_link__destroy(s->bpf->links.sl_sys_exit);
	s->bpf->links.sl_sys_exit = NULL;
}

/*
 * Calls fn for each element of a hash, as long as it returns 0. key has room for one; elements may
 * come and go meanwhile.
 */
static int each(const struct bpf_map *map, void *key, void *value,
		int (*fn)(struct syscall_counts *c, const void *key, const void *value),
		struct syscall_counts *c)
{
	int fd = bpf_map__fd(map);
	uint32_t left = bpf_map__max_entries(map);
	int err = bpf_map_get_next_key(fd, NULL, key);

	while (!err && left--) {
		if (bpf_map_lookup_elem(fd, key, value) == 0)
			err = fn(c, key, value);
		if (!err)
			err = bpf_map_get_next_key(fd, key, key);
	}
	return err == -ENOENT ? 0 : err;
}

static int add_row(struct syscall_counts *c, const void *key, const void *value)
{
	struct syscall_row *row = &c->rows[c->row_count++];

	memcpy(&row->key, key, sizeof(row->key));
	memcpy(&row->counts, value, sizeof(row->counts));
	return 0;
}

static int add_error(struct syscall_counts *c, const void *key, const void *value)
{
	const struct sl_call_error *by = key;
	struct syscall_error *e = &c->errors[c->error_count++];

	e->key = by->key;
	e->error = by->error;
	memcpy(&e->count, value, sizeof(e->count));
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct sl_call_key *x = a;
	const struct sl_call_key *y = b;

	if (x->thread_started_ns != y->thread_started_ns)
		return x->thread_started_ns < y->thread_started_ns ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->call < y->call ? -1 : x->call > y->call;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Its row was made when it began, unless there was no room. */
static int add_open(struct syscall_counts *c, const void *key, const void *value)
{
	const struct sl_open_call *open = value;
	struct sl_call_key of = {.thread_started_ns = open->thread_started_ns,
				 .call = (open->call & SL_CALL_POSITION) - 1};
	struct syscall_row *row;

	memcpy(&of.tid, key, sizeof(of.tid));
	row = bsearch(&of, c->rows, c->row_count, sizeof(*row), compare_keys);
	if (row)
		row->open_ns = now_ns() - open->entered_ns;
	return 0;
}

static void add_counts(struct sl_call_row *sum, const struct sl_call_row *part)
{
	sum->count += part->count;
	sum->errors += part->errors;
	sum->bytes += part->bytes;
	sum->time_ns += part->time_ns;
	sum->blocked += part->blocked;
	sum->blocked_ns += part->blocked_ns;
	if (part->max_ns > sum->max_ns)
		sum->max_ns = part->max_ns;
	for (size_t i = 0; i < SL_CALL_BUCKETS; i++)
		sum->bucket[i] += part->bucket[i];
}

static int read_overflow(const struct bpf_map *map, struct syscall_counts *c)
{
	int cpu_count = libbpf_num_possible_cpus();
	scoped_free struct sl_call_row *by_cpu = NULL;
	int err = 0;

	if (cpu_count < 0)
		return cpu_count;
	by_cpu = calloc((size_t)cpu_count, sizeof(*by_cpu));
	if (!by_cpu)
		return -ENOMEM;
	for (uint32_t call = 0; !err && call < syscall_count; call++) {
		err = bpf_map_lookup_elem(bpf_map__fd(map), &call, by_cpu);
		for (int i = 0; !err && i < cpu_count; i++)
			add_counts(&c->overflow[call], &by_cpu[i]);
	}
	return err;
}

/* Runs of a program that the kernel has left out, because it ran on this CPU already (5.12). */
static uint64_t missed_runs(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)
		       ? 0
		       : info.recursion_misses;
}

int syscalls_read(struct syscalls *s, struct syscall_counts **ret_counts)
{
	scoped_privilege int raised = privilege_raise();
	const struct syscalls_bpf *bpf = s->bpf;
	struct syscall_counts *c = calloc(1, sizeof(*c));
	scoped_free struct sl_call_row *row = malloc(sizeof(*row));
	struct sl_call_error error;
	struct sl_open_call open;
	uint64_t count;
	uint32_t tid;
	int err = -ENOMEM;

	if (!c || !row)
		goto out;
	c->rows = calloc(bpf_map__max_entries(bpf->maps.rows), sizeof(*c->rows));
	c->errors = calloc(bpf_map__max_entries(bpf->maps.errors), sizeof(*c->errors));
	if (!c->rows || !c->errors)
		goto out;
	err = each(bpf->maps.rows, &error.key, row, add_row, c);
	if (!err)
		err = each(bpf->maps.errors, &error, &count, add_error, c);
	qsort(c->rows, c->row_count, sizeof(*c->rows), compare_keys);
	if (!err)
		err = each(bpf->maps.open_calls, &tid, &open, add_open, c);
	if (!err)
		err = read_overflow(bpf->maps.overflow, c);
	c->lost = bpf->bss->lost + missed_runs(bpf->progs.sl_sys_enter) +
		  missed_runs(exit_program(bpf));
	c->of_32bit = bpf->bss->of_32bit;
	c->errors_unnamed = bpf->bss->errors_unnamed;
	c->reads_lost = bpf->bss->reads_lost;
out:
	if (err)
		syscall_counts_free(c);
	else
		*ret_counts = c;
	return err;
}

void syscall_counts_free(struct syscall_counts *c)
{
	if (!c)
		return;
	free(c->rows);
	free(c->errors);
	free(c);
}
