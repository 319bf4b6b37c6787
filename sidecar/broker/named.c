/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/named.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "capture/hooks.h"
#include "pod/privilege.h"

static void end(struct named *n)
{
	if (n->cgroup_id)
		targets_end(n->targets, n->cgroup_id);
	n->cgroup_id = 0;
}

/* The cgroup is given. */
static void begin(struct named *n, struct cgroup *cgroup)
{
	struct target *t = calloc(1, sizeof(*t));
	uint64_t id = cgroup->id;
	int err = -ENOMEM;

	if (t) {
		memcpy(t->name, n->name, sizeof(t->name));
		t->cgroup = *cgroup;
		err = targets_add(n->targets, t);
	}
	if (!err) {
		n->cgroup_id = id;
		log_info("run: cgroup %s is there again; watching it", n->path);
		return;
	}
	log_warn("run: cgroup %s is there again", n->path);
	hooks_log_refusal(cgroup->fd, n->path, err);
	cgroup_close(cgroup);
	free(t);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	scoped_privilege int raised = privilege_raise();
	struct named *n = poll->data;
	struct cgroup cgroup;
	int change = follow_read(n->follow, &cgroup);

	(void)status; /* an error shows as readable */
	(void)events;
	if (change == FOLLOW_SAME)
		return;
	if (change < 0) {
		log_warn("run: cgroup %s cannot be opened (%s)", n->path, strerror(-change));
		return;
	}
	if (change == FOLLOW_GONE)
		log_info("run: cgroup %s has ended; waits for its return", n->path);
	end(n);
	if (change == FOLLOW_NEW)
		begin(n, &cgroup);
}

void named_start(struct named *n, uv_loop_t *loop, struct targets *targets,
		 const struct target *target)
{
	const struct cgroup *cg = &target->cgroup;

	*n = (struct named){.targets = targets, .cgroup_id = cg->id};
	if (cg->is_root)
		return; /* nobody can remove it */
	memcpy(n->name, target->name, sizeof(n->name));
	memcpy(n->path, cg->path, sizeof(n->path));
	n->follow = follow_new(cg);
	if (!n->follow) {
		log_warn("run: a restart of cgroup %s cannot be followed (%s)", n->path,
			 strerror(errno));
		return;
	}
	(void)uv_poll_init(loop, &n->poll, follow_fd(n->follow)); /* epoll: cannot fail */
	n->poll.data = n;
	(void)uv_poll_start(&n->poll, UV_READABLE, on_readable); /* nor this */
}

void named_announce(const struct target *target)
{
	target_announce(target);
	hooks_log_attached(target->cgroup.path);
}

void named_stop(struct named *n)
{
	if (!n->follow)
		return;
	uv_close((uv_handle_t *)&n->poll, NULL);
	follow_free(n->follow);
	n->follow = NULL;
}
