/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	(void)vsnprintf(line, sizeof(line), fmt, args); /* a longer line is truncated */
	line[strcspn(line, "\n")] = '\0';
	/* libbpf's debug lines list each relocation of each program. */
	log_line(level == LIBBPF_DEBUG ? LOG_LEVEL_TRACE : LOG_LEVEL_DEBUG, "libbpf: %s", line);
	return 0;
}

void libbpf_log_start(void)
{
	(void)libbpf_set_print(print); /* the former one is not needed */
}
