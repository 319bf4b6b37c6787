/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which format a gateway gets the series: protobuf if it is a Pushgateway, else text.
 *
 * A Pushgateway parses protobuf 8 to 16 times as fast: 100 histograms take it 3 ms instead of 26,
 * 2,000 take 35 ms instead of 600 (1.5.1; 1.4 to 1.11 take both formats). But other programs that
 * take pushes, like VictoriaMetrics, parse every body as text, pass over what they do not
 * understand, and answer 2xx: a push in protobuf would be lost without a sign. Therefore the
 * gateway is asked what it is (GATEWAY_STATUS_PATH) after a push in text, and again after each push
 * that failed.
 *
 *   TEXT_UNPROVEN  not known, or not since the last      -> PROTOBUF: its status says so
 *                  push that failed                      -> TEXT_ONLY: two refusals in a row, each
 *                                                           followed by an accepted text
 *   PROTOBUF       it is a Pushgateway                   -> TEXT_UNPROVEN: a push failed, or had an
 *                                                           answer that no Pushgateway gives
 *   TEXT_ONLY      for good
 *   PROTOBUF_ONLY  for good: the text has no native histograms
 */
#ifndef SIDELIGHT_EXPORT_PUSH_FORMAT_H
#define SIDELIGHT_EXPORT_PUSH_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"
#include "export/page.h"
#include "metrics/push_stats.h"

/* Below the gateway's address; Pushgateways have it since 0.10. */
#define GATEWAY_STATUS_PATH "/api/v1/status"

/* A Pushgateway's status has some 700 bytes, in which there are its command line's paths. */
#define GATEWAY_STATUS_MAX 8192u

/*
 * In a row, each followed by an accepted text: a refusal may as well have another reason, that has
 * gone when the text is pushed (a type that conflicts with another group's).
 */
#define PUSH_FORMAT_REFUSALS 2u

enum push_format_state {
	PUSH_FORMAT_TEXT_UNPROVEN,
	PUSH_FORMAT_PROTOBUF,
	PUSH_FORMAT_TEXT_ONLY,
	PUSH_FORMAT_PROTOBUF_ONLY,
};

struct push_format {
	enum push_format_state state;
	uint64_t accepted; /* pushes since the state was entered */
	unsigned refusals; /* of protobuf, in a row, each followed by an accepted text */
	bool is_refused; /* protobuf was refused, and no text was accepted since */
	struct text status; /* the gateway's answer, as far as it has come */
};

void push_format_init(struct push_format *f, bool needs_protobuf);
/* Accepts a zeroed one. */
void push_format_release(struct push_format *f);

/* Of the next push. */
enum page_format push_format_page(const struct push_format *f);

/*
 * A push of push_format_page() has ended; status is the answer's, 0 if there was none. Returns true
 * if the gateway gets nothing but text from now on.
 */
bool push_format_ended(struct push_format *f, enum push_result result, long status);

/* Is the gateway to be asked now what it is? After accepted pushes as group_watch_is_due() says. */
bool push_format_asks(const struct push_format *f);

void push_format_begin_status(struct push_format *f);
/* Takes the next part of its status (a request_part_fn). Returns false if no more is wanted. */
bool push_format_read_status(void *ctx, struct span part);
/* is_complete: the whole answer was read, and it was 200. */
void push_format_end_status(struct push_format *f, bool is_complete);

#endif
