/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a workload's own annotations into its Pod template, so that
 *
 *     kubectl annotate deployment/shop sidelight.dev/inject=true
 *
 * starts a rollout whose Pods are injected. Of a Deployment, StatefulSet,
 * DaemonSet, CronJob, and of a Job that is being created, all annotations
 * sidelight.dev/NAME are carried if inject is "true" among them. The
 * annotation sidelight.dev/carried in the template lists the names
 * that came this way; they follow the workload's when it changes, and are taken out
 * when they or inject are gone from there. What the template has by itself is
 * not touched, and wins.
 *
 * In a namespace that refuses the container nothing is carried: a rollout would change
 * nothing there.
 *
 * An object that has a controller is left to it: the Job of a CronJob carries
 * none of the CronJob's annotations, yet its template has what was carried into the
 * CronJob's; a Deployment of an operator would be written back at once.
 *
 * The template is a function of the object alone: applying the original
 * manifest again, a rollback or a second call lead to the same end.
 */
#ifndef SIDELIGHT_WEBHOOK_CARRY_H
#define SIDELIGHT_WEBHOOK_CARRY_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "webhook/injection.h"
#include "webhook/patch.h"

#define ANNOTATION_CARRIED PARAMETER_PREFIX "carried"

enum carry_outcome {
	CARRY_UNASKED, /* nothing to carry, nothing carried before */
	CARRY_UNCHANGED,
	CARRY_CARRIED,
	CARRY_REMOVED, /* all of it */
	CARRY_FIXED, /* a Job's template, which cannot change any more */
	CARRY_CONTROLLED, /* left to the object's controller */
};

/*
 * object is a workload of this kind (one that manifest.h knows, but not Pod);
 * it is changed, and p, whose prefix is "", grows by the operations. Adds to the array of
 * strings `warnings` what will keep its Pods from being injected.
 */
enum carry_outcome carry_apply(const struct injection *in, const char *kind, bool is_create,
			       cJSON *object, struct patch *p, cJSON *warnings);

#endif
