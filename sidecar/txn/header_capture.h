/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures the header fields of requests and responses for an engine while somebody wants some.
 * While nobody does, it costs one test per head.
 */
#ifndef SIDELIGHT_TXN_HEADER_CAPTURE_H
#define SIDELIGHT_TXN_HEADER_CAPTURE_H

#include "proto/http2_head.h"
#include "txn/headers.h"

/* One of an engine. It must not be moved. */
struct header_capture {
	struct header_wishes wishes;
	/* For the parsers of HTTP/2: on while something is wanted. */
	struct http2_observer observer;
	struct headers *block; /* fields of the newest header block; owned; NULL: none */
};

void header_capture_init(struct header_capture *h);
void header_capture_release(struct header_capture *h);

static inline bool header_capture_is_on(const struct header_capture *h)
{
	return __builtin_expect(h->wishes.first != NULL, 0);
}

/* wish is borrowed until it is removed, and not added twice. */
void header_capture_add(struct header_capture *h, struct header_wish *wish);
/* Ignores a wish that was not added. */
void header_capture_remove(struct header_capture *h, struct header_wish *wish);

/* The fields of head, which was decoded last, become those of a section of *to. */
void header_capture_take(struct header_capture *h, const struct http2_head *head,
			 struct headers **to, struct memory_account *memory,
			 enum header_section section);

#endif
