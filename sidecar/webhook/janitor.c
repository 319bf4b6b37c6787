/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/janitor.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/group.h"
#include "base/log.h"
#include "base/text.h"

/* A sweep removes no more than so many, whose paths are no longer than this in total; the next one
 * goes on. */
#define STALE_MAX	100000
#define STALE_BYTES_MAX (16u << 20)

/* The paths of groups and when they were pushed, in the order of their paths. */
struct stale {
	struct entry {
		char *path;
		double pushed_s;
		bool is_confirmed;
	} * entries;
	size_t count;
	size_t alloc;
	size_t bytes; /* of all paths */
	size_t beyond; /* did not fit */
	bool has_failed; /* no memory */
};

struct sweep {
	const struct janitor_options *options;
	struct gateway *gateway;
	struct stale stale;
	double now_s; /* by the gateway's clock */
	size_t groups;
	size_t removed;
	size_t failed;
	size_t revived;
};

static bool is_stopping(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static void stale_release(struct stale *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->entries[i].path);
	free(s->entries);
}

static void stale_add(struct stale *s, const char *path, double pushed_s)
{
	size_t alloc = s->alloc ? 2 * s->alloc : 64;
	struct entry *grown;

	if (s->count == STALE_MAX || s->bytes + strlen(path) > STALE_BYTES_MAX) {
		s->beyond++;
		return;
	}
	if (s->has_failed)
		return;
	if (s->count == s->alloc) {
		grown = realloc(s->entries, alloc * sizeof(*grown));
		if (!grown) {
			s->has_failed = true;
			return;
		}
		s->entries = grown;
		s->alloc = alloc;
	}
	s->entries[s->count] = (struct entry){.path = strdup(path), .pushed_s = pushed_s};
	if (s->entries[s->count].path) {
		s->count++;
		s->bytes += strlen(path);
	} else {
		s->has_failed = true;
	}
}

/* job comes first, whatever the order of the others. */
static bool path_of(const cJSON *labels, struct text *path)
{
	const cJSON *one;

	text_clear(path);
	text_add(path, "/metrics");
	group_add_label(path, "job", cJSON_GetObjectItemCaseSensitive(labels, "job")->valuestring);
	cJSON_ArrayForEach(one, labels) if (strcmp(one->string, "job") != 0)
		group_add_label(path, one->string, one->valuestring);
	return !path->has_failed;
}

/* Of the first listing. */
static void on_listed(void *ctx, const struct listed_group *group)
{
	struct sweep *s = ctx;
	struct text path;

	s->groups++;
	/* Never pushed, not even in vain: not a time to go by. */
	if (group->pushed_s <= 0 ||
	    s->now_s - group->pushed_s < (double)s->options->older_than_ms / 1000)
		return;
	text_init(&path);
	if (path_of(group->labels, &path))
		stale_add(&s->stale, path.ptr, group->pushed_s);
	else
		s->stale.has_failed = true;
	text_release(&path);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

/* Of the second listing: is it one of them, and as old as it was? */
static void on_confirmed(void *ctx, const struct listed_group *group)
{
	struct sweep *s = ctx;
	struct entry *found;
	struct text path;

	text_init(&path);
	if (path_of(group->labels, &path)) {
		found = s->stale.count
				? bsearch(&(struct entry){.path = path.ptr}, s->stale.entries,
					  s->stale.count, sizeof(*found), compare_entries)
				: NULL;
		if (found && found->pushed_s == group->pushed_s)
			found->is_confirmed = true;
	}
	text_release(&path);
}

/* Reads a listing. Logs what goes wrong. */
static int list(struct sweep *s, void (*on_group)(void *ctx, const struct listed_group *group),
		size_t *ret_unusable)
{
	struct listing l;
	int err;

	listing_init(&l, on_group, s);
	err = gateway_list(s->gateway, &l, &s->now_s);
	*ret_unusable = l.unusable;
	listing_release(&l);
	if (!err && s->stale.has_failed)
		err = -ENOMEM;
	if (err && err != -ECANCELED)
		log_error("janitor: %s: %s", s->options->gateway.url,
			  *gateway_error(s->gateway) ? gateway_error(s->gateway) : strerror(-err));
	return err;
}

static void remove_all(struct sweep *s)
{
	for (size_t i = 0; i < s->stale.count && !is_stopping(); i++) {
		const struct entry *e = &s->stale.entries[i];
		int err = 0;

		if (!e->is_confirmed) {
			s->revived++;
			continue;
		}
		if (s->options->is_dry_run)
			log_info("janitor: would remove %s", e->path);
		else
			err = gateway_delete(s->gateway, e->path);
		if (!err) {
			s->removed++;
			continue;
		}
		/* One line, not one for each; and no waiting for each. */
		if (err != -ECANCELED)
			log_error("janitor: %s%s stays: %s", s->options->gateway.url, e->path,
				  gateway_error(s->gateway));
		s->failed += s->stale.count - i;
		return;
	}
}

static int sweep(const struct janitor_options *options, struct gateway *gateway)
{
	struct sweep s = {.options = options, .gateway = gateway};
	size_t unusable = 0;
	int err = list(&s, on_listed, &unusable);

	if (!err && s.stale.count) {
		qsort(s.stale.entries, s.stale.count, sizeof(*s.stale.entries), compare_entries);
		err = list(&s, on_confirmed, &unusable);
	}
	if (!err) {
		remove_all(&s);
		if (unusable)
			log_warn(
				"janitor: %s: groups left alone: %zu, the list does not give their "
				"names",
				options->gateway.url, unusable);
		if (s.stale.beyond)
			log_warn("janitor: %s: %zu more are old; left to the next sweep",
				 options->gateway.url, s.stale.beyond);
		if (s.removed || s.revived || options->interval_ms == 0)
			log_info("janitor: %s: %zu groups, %s %zu%s", options->gateway.url,
				 s.groups, options->is_dry_run ? "would remove" : "removed",
				 s.removed, s.revived ? ", some were pushed to meanwhile" : "");
	}
	stale_release(&s.stale);
	return err || s.failed ? 1 : 0;
}

int janitor_run(const struct janitor_options *options)
{
	struct gateway_options where = options->gateway;
	struct timespec pause = {.tv_sec = (time_t)(options->interval_ms / 1000),
				 .tv_nsec = (long)(options->interval_ms % 1000) * 1000000};
	struct gateway *gateway;
	sigset_t set;
	int status;

	/* Blocked, and looked for: a request is not torn apart, and no wait is missed. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	where.is_stopping = is_stopping;
	gateway = gateway_new(&where);
	if (!gateway) {
		log_error("janitor: no memory");
		return 1;
	}
	do {
		status = sweep(options, gateway);
	} while (options->interval_ms && sigtimedwait(&set, NULL, &pause) < 0 && errno == EAGAIN);
	gateway_free(gateway);
	curl_global_cleanup();
	return status;
}
