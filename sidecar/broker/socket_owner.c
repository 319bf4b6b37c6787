/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/socket_owner.h"

#include "pod/sock_diag.h"

#define PORTS_MAX 64

struct ports {
	uint16_t list[PORTS_MAX];
	unsigned count;
};

/*
 * Are all sockets of a cgroup those of one target? An accepted connection may be too young to be
 * among those that its processes were seen to hold: it has the port of its listener.
 */
struct ownership {
	const struct holders *holders;
	uint64_t cgroup_id;
	unsigned owner;
	struct ports listening;
	struct ports unheld; /* of connections that nobody was seen to hold */
	bool has_others;
};

static bool has_port(const struct ports *p, uint16_t port)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->list[i] == port)
			return true;
	return false;
}

/* False: there are too many. */
static bool add_port(struct ports *p, uint16_t port)
{
	if (has_port(p, port))
		return true;
	if (p->count == PORTS_MAX)
		return false;
	p->list[p->count++] = port;
	return true;
}

static void check_owner(void *ctx, const struct sock_info *s)
{
	struct ownership *o = ctx;
	const struct holder *h;

	if (s->cgroup_id != o->cgroup_id)
		return;
	h = holders_find(o->holders, s->inode);
	if (h ? h->owner != o->owner : s->is_listener)
		o->has_others = true;
	else if (s->is_listener)
		o->has_others |= !add_port(&o->listening, s->local_port);
	else if (!h && s->inode)
		o->has_others |= !add_port(&o->unheld, s->local_port);
}

bool socket_owner_is_sole(int diag_fd, const struct holders *holders, unsigned owner,
			  const struct cgroup *cg)
{
	struct ownership o = {.holders = holders, .cgroup_id = cg->id, .owner = owner};

	if (cg->is_root || cgroup_is_populated(cg) != 0 ||
	    sock_diag_each(diag_fd, NULL, SIZE_MAX, check_owner, &o))
		return false;
	for (unsigned i = 0; i < o.unheld.count; i++)
		o.has_others |= !has_port(&o.listening, o.unheld.list[i]);
	return !o.has_others;
}
