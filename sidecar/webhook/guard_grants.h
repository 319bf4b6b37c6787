/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the guard that is made from the template: which containers add
 * capabilities, and what in them is not as it is injected.
 */
#ifndef SIDELIGHT_WEBHOOK_GUARD_GRANTS_H
#define SIDELIGHT_WEBHOOK_GUARD_GRANTS_H

#include "base/text.h"

/*
 * Appends variables of the policy. They read variables.adding (containers that
 * add a capability), .before (containers that an update leaves as they are),
 * .regular, .init, .ephemeral and .volumes, and make
 *
 *   granted_names    the template's capabilities, for messages
 *   greedy           containers that add a capability that nobody may add
 *   wrong            for each regular container that adds a capability of the
 *                    template: a list of lines, one for each member that is not
 *                    as it is injected
 *   wrong_ephemeral  likewise for ephemeral containers and `kubectl sidelight`
 */
void guard_write_grants(struct text *out);

#endif
