/* SPDX-License-Identifier: Apache-2.0 */
#include "base/resident.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* A segment that nobody writes is as its file has it, so nothing is lost with its pages. */
static int trim_object(struct dl_phdr_info *info, size_t size, void *page_size)
{
	uintptr_t mask = *(const uintptr_t *)page_size - 1;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = (start + segment->p_memsz) & ~mask;

		start = (start + mask) & ~mask;
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W) && end > start)
			(void)madvise((void *)start, end - start, MADV_DONTNEED); /* or they stay */
	}
	return 0;
}

void resident_trim(void)
{
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)dl_iterate_phdr(trim_object, &page_size);
}
