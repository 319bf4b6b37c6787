/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wiring only: which command, which source, which sinks.
 */
#include <stdio.h>

int main(void)
{
	(void)printf("sidelight %s (%s)\n", SIDELIGHT_VERSION, SIDELIGHT_REVISION);
	return 0;
}
