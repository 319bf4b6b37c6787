/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/stop.h"

#include <signal.h>

static volatile sig_atomic_t is_wanted;

static void on_signal(int number)
{
	(void)number;
	is_wanted = 1;
}

void stop_watch(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	(void)sigemptyset(&action.sa_mask); /* cannot fail, nor can the next two */
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

bool stop_is_wanted(void)
{
	return is_wanted;
}
