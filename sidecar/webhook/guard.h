/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight-webhook guard`: a ValidatingAdmissionPolicy for namespaces that are
 * opened for sidelight, made from the template that is injected. A container
 * adds the template's capabilities only if it is, member by member, what the
 * webhook injects or what kustomize/kubectl-sidelight adds to a Pod that runs;
 * a member that neither of them has is refused, whatever it is and in whichever
 * version of the API it appears. Which images these containers may have:
 * image.h. For all other containers and for the Pod it holds what the Pod
 * Security Standard "baseline" says of the ways out of a container.
 */
#ifndef SIDELIGHT_WEBHOOK_GUARD_H
#define SIDELIGHT_WEBHOOK_GUARD_H

#include "base/text.h"
#include "webhook/flags.h"

/* Appends the YAML. Check out->has_failed afterwards. */
void guard_write(struct text *out);

/* Prints it. Returns the exit status. */
int guard_command(const struct flags *f);

#endif
