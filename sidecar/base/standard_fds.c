/* SPDX-License-Identifier: Apache-2.0 */
#include "base/standard_fds.h"

#include <fcntl.h>
#include <unistd.h>

void standard_fds_occupy(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* Gets the lowest free number, which is fd; its access mode is the wrong one. */
		(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}
