/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counts as this process's memory.
 */
#ifndef SIDELIGHT_BASE_RESIDENT_H
#define SIDELIGHT_BASE_RESIDENT_H

/*
 * Lets go of the code and constants of all libraries: most of what starting touched is not used
 * again. They are pages of files; what is, comes back from the page cache with a minor fault.
 */
void resident_trim(void);

#endif
