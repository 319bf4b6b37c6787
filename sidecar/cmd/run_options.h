/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a running sidecar take from the options of the command line.
 */
#ifndef SIDELIGHT_CMD_RUN_OPTIONS_H
#define SIDELIGHT_CMD_RUN_OPTIONS_H

#include "agent/annotations.h"
#include "agent/labels.h"
#include "agent/request_metrics.h"
#include "base/text.h"
#include "broker/broker.h"
#include "cmd/options.h"

/* All strings are borrowed from o. */
struct label_options run_options_labels(const struct options *o);
struct broker_options run_options_broker(const struct options *o);
/* Enters the sandbox of the worker, which can open only the files of options afterwards. */
int run_options_enter_sandbox(const struct options *o);
/* How --memory is divided, in bytes. */
struct run_memory {
	size_t connections;
	size_t recorder;
	size_t recorder_recent; /* requests; 0: the recorder is off */
};

struct run_memory run_options_memory(const struct options *o);
struct request_metrics_options run_options_request_metrics(const struct options *o);
struct settings run_options_settings(const struct options *o);

/*
 * Sets what the flag of the annotation's name would (annotations_options.set). ctx is the
 * const struct options of the command line: its flags win.
 */
int run_options_annotate(void *ctx, struct settings *s, const char *key, const char *value,
			 struct text *error);

#endif
