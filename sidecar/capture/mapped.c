/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/mapped.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Maps pages and stores them for mapped_close(). Returns NULL with errno set. */
static void *map(struct mapped *m, int i, int fd, size_t bytes, int prot, size_t offset)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, fd, (off_t)offset);

	if (at == MAP_FAILED)
		return NULL;
	m->pages[i] = at;
	m->page_bytes[i] = bytes;
	return at;
}

/*
 * A BPF ring buffer (struct bpf_ringbuf) has a page with the consumer's position, which is
 * writable, a page with the producer's, and the data, which the kernel maps twice in a row so that
 * no record wraps. Of the second copy we map only what one record needs, since all mapped pages
 * count as resident.
 */
int mapped_open_ringbuf(struct mapped *m, int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*m = (struct mapped){.mask = size - 1};
	m->consumed = map(m, 0, fd, page, PROT_READ | PROT_WRITE, 0);
	m->produced = map(m, 1, fd, page + size + page, PROT_READ, page);
	if (!m->consumed || !m->produced)
		return -errno;
	m->data = (const char *)m->produced + page;
	return 0;
}

int mapped_open_sealed(struct mapped *m, int fd, size_t size, struct sl_shared *shared,
		       uint64_t seal)
{
	*m = (struct mapped){
		.mask = size - 1,
		.seal = seal,
		.consumed = (uint64_t *)&shared->consumed,
		.produced = (uint64_t *)&shared->produced,
	};
	m->data = map(m, 0, fd, size + SL_RECORD_MAX, PROT_READ, 0);
	return m->data ? 0 : -errno;
}

void mapped_close(struct mapped *m)
{
	for (int i = 0; i < 2; i++)
		if (m->pages[i])
			(void)munmap(m->pages[i], m->page_bytes[i]); /* mapped by us */
	*m = (struct mapped){0};
}

void *mapped_section(int fd, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void mapped_section_close(void *section, size_t bytes)
{
	if (section)
		(void)munmap(section, bytes); /* mapped by us */
}
