/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where members of the kernel's structs are, from its type information (BTF, Documentation/bpf/
 * btf.rst). For a few of them this costs less than relocating a program (CO-RE), for which a loader
 * copies and indexes all types first.
 */
#ifndef SIDELIGHT_CAPTURE_BTF_LAYOUT_H
#define SIDELIGHT_CAPTURE_BTF_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* All entries of one struct stand together. */
struct btf_wanted {
	const char *type; /* struct */
	/* Of a member that is no bit field; NULL: the size of the struct is wanted. */
	const char *name;
	uint32_t bytes; /* the result: offset, or size */
};

/*
 * Fills in all, from a file's content, which is not trusted. Of several structs of one name the
 * first counts that has all members. Returns 0; -ENOENT: a struct or member is not there; -EBADMSG:
 * the content is broken; -EPROTO: it has types of a kind that is not known.
 */
int btf_layout_find(struct btf_wanted *members, size_t count, const void *content, size_t size);
/* Likewise of the running kernel; negative errno if its file cannot be read. */
int btf_layout_of_kernel(struct btf_wanted *members, size_t count);

#endif
