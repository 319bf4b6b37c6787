/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment variables of OpenTelemetry that `sidelight run` follows. They stand behind flags
 * and SIDELIGHT_* variables. A variable of metrics (OTEL_EXPORTER_OTLP_METRICS_*) stands before
 * that of all signals; an empty one counts as not set.
 *
 * Whoever set them may have meant another program, so what is wrong with one is no error: it is
 * noted, to be logged, and the variable is not used.
 */
#ifndef SIDELIGHT_CMD_OTEL_ENVIRONMENT_H
#define SIDELIGHT_CMD_OTEL_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTEL_PROBLEMS_MAX 8

/* Strings are borrowed from the environment; NULL, or 0, where nothing is said. */
struct otel_environment {
	const char *endpoint; /* a valid URL */
	bool is_refused; /* there is one, which cannot be used */
	bool is_base; /* of the endpoint: the path of metrics is to be appended */
	bool is_plain; /* compression: none */
	const char *headers; /* secret */
	const char *ca;
	const char *cert;
	const char *key;
	uint64_t interval_ms;
	uint64_t timeout_ms;
	const char *service_name;
	const char *resource_attributes;
	struct otel_problem {
		const char *variable;
		const char *what; /* completes: VARIABLE ... */
	} problems[OTEL_PROBLEMS_MAX];
	size_t problem_count;
};

/* environ: NAME=VALUE, ends in NULL. has_endpoint: another one stands before theirs, which is not
 * looked at then. */
void otel_environment_read(struct otel_environment *e, char *const *environ, bool has_endpoint);

#endif
