/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A limit on the memory that parsed JSON takes: "0," is two bytes on the wire
 * and 64 in a tree, so that a body of 3 MiB could ask for 100.
 */
#ifndef SIDELIGHT_WEBHOOK_BUDGET_H
#define SIDELIGHT_WEBHOOK_BUDGET_H

#include <stddef.h>

/*
 * From now on, cJSON gets no more than so many bytes at a time and fails
 * beyond. To be called before cJSON is used: what it has allocated earlier is not known.
 */
void budget_install(size_t bytes);

/* What is in use now. */
size_t budget_used(void);

#endif
