/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/btf_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define KERNEL_FILE    "/sys/kernel/btf/vmlinux"
#define SIZE_MAX_BYTES (64u << 20)
/* enum of linux/btf.h: younger than the headers of older systems (6.0). */
#define KIND_ENUM64 19

struct content {
	const unsigned char *types;
	size_t types_size;
	const char *names;
	size_t names_size; /* the last byte is zero */
};

/* The sections' place in the content. Returns 0 or -EBADMSG. */
static int open_content(struct content *ret, const void *content, size_t size)
{
	struct btf_header h;
	const unsigned char *base = content;
	uint64_t types;
	uint64_t names;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, content, sizeof(h));
	types = (uint64_t)h.hdr_len + h.type_off;
	names = (uint64_t)h.hdr_len + h.str_off;
	if (h.magic != BTF_MAGIC || types + h.type_len > size || names + h.str_len > size ||
	    !h.str_len || base[names + h.str_len - 1])
		return -EBADMSG;
	*ret = (struct content){base + types, h.type_len, (const char *)base + names, h.str_len};
	return 0;
}

static const char *name_at(const struct content *c, uint32_t offset)
{
	return offset < c->names_size ? c->names + offset : "";
}

/* Bytes behind a type; -EPROTO: its kind is not known. */
static int64_t tail_size(const struct btf_type *t)
{
	uint32_t count = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case KIND_ENUM64:
		return 12LL * count;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return 8LL * count;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(uint32_t);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -EPROTO;
	}
}

/* Is the member there, and no bit field? */
static bool find_member(struct btf_wanted *m, const struct content *c, const struct btf_type *t,
			const unsigned char *tail)
{
	bool has_sizes = BTF_INFO_KFLAG(t->info);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		struct {
			uint32_t name;
			uint32_t type;
			uint32_t offset;
		} entry;
		uint32_t bits;

		memcpy(&entry, tail + i * sizeof(entry), sizeof(entry));
		if (strcmp(name_at(c, entry.name), m->name) != 0)
			continue;
		if (has_sizes && BTF_MEMBER_BITFIELD_SIZE(entry.offset))
			return false;
		bits = has_sizes ? BTF_MEMBER_BIT_OFFSET(entry.offset) : entry.offset;
		m->bytes = bits / 8;
		return bits % 8 == 0;
	}
	return false;
}

/* Those entries that begin with m and are of the same struct. */
static size_t count_of(const struct btf_wanted *m, size_t left)
{
	size_t n = 1;

	while (n < left && strcmp(m[n].type, m->type) == 0)
		n++;
	return n;
}

static bool fill(struct btf_wanted *m, size_t count, const struct content *c,
		 const struct btf_type *t, const unsigned char *tail)
{
	for (size_t i = 0; i < count; i++) {
		if (!m[i].name)
			m[i].bytes = t->size;
		else if (!find_member(&m[i], c, t, tail))
			return false;
	}
	return true;
}

int btf_layout_find(struct btf_wanted *members, size_t count, const void *content, size_t size)
{
	struct content c;
	size_t found = 0; /* entries */
	bool is_found[64] = {false}; /* by the first entry of a struct */
	int err = open_content(&c, content, size);

	if (err)
		return err;
	if (count > sizeof(is_found))
		return -E2BIG;
	for (size_t at = 0; at < c.types_size && found < count;) {
		struct btf_type t;
		int64_t tail;

		if (c.types_size - at < sizeof(t))
			return -EBADMSG;
		memcpy(&t, c.types + at, sizeof(t));
		at += sizeof(t);
		tail = tail_size(&t);
		if (tail < 0)
			return (int)tail;
		if ((uint64_t)tail > c.types_size - at)
			return -EBADMSG;
		for (size_t i = 0, n = 0; BTF_INFO_KIND(t.info) == BTF_KIND_STRUCT && i < count;
		     i += n) {
			n = count_of(&members[i], count - i);
			if (is_found[i] || strcmp(name_at(&c, t.name_off), members[i].type) != 0)
				continue;
			is_found[i] = fill(&members[i], n, &c, &t, c.types + at);
			found += is_found[i] ? n : 0;
		}
		at += (size_t)tail;
	}
	return found == count ? 0 : -ENOENT;
}

/* sysfs hands out a page at a time. Returns 0 or negative errno. */
static int read_whole(int fd, unsigned char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = read(fd, to + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		at += (size_t)n;
	}
	return 0;
}

/* Either way it is unmapped by the caller. MAP_FAILED, with errno: it cannot be read. */
static void *map_or_read(int fd, size_t size)
{
	/* Linux 6.16 (a539e2a6d51d), which saves a thousand reads. */
	void *content = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	int err;

	if (content != MAP_FAILED)
		return content;
	content = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (content == MAP_FAILED)
		return content;
	err = read_whole(fd, content, size);
	if (!err)
		return content;
	(void)munmap(content, size); /* it is mapped */
	errno = -err;
	return MAP_FAILED;
}

int btf_layout_of_kernel(struct btf_wanted *members, size_t count)
{
	scoped_fd int fd = open(KERNEL_FILE, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *content;
	int err;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0 || (uint64_t)st.st_size > SIZE_MAX_BYTES)
		return -EBADMSG;
	content = map_or_read(fd, (size_t)st.st_size);
	if (content == MAP_FAILED)
		return -errno;
	err = btf_layout_find(members, count, content, (size_t)st.st_size);
	(void)munmap(content, (size_t)st.st_size); /* it is mapped */
	return err;
}
