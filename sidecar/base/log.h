/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line to standard error, for the edges of the program (main, pod,
 * capture, export). Nothing between the ring and the registry logs.
 *
 *     sidelight: push: POST http://gw:9091 refused (connection refused)
 */
#ifndef SIDELIGHT_BASE_LOG_H
#define SIDELIGHT_BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE
};

/* What lines begin with instead of "sidelight"; borrowed for good. */
void log_set_program(const char *name);
/* Lines above this level are dropped; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(...) log_line(LOG_LEVEL_TRACE, __VA_ARGS__)

/* Whether a line of this level would be printed: for lines that are costly to make. */
bool log_has(enum log_level level);

#endif
