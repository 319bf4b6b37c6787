/* SPDX-License-Identifier: Apache-2.0 */
#include "base/terminal.h"

#include <sys/ioctl.h>

size_t terminal_columns(int fd)
{
	struct winsize size = {0};

	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
