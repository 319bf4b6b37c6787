/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked transfer coding (RFC 9112 section 7.1), decoded as it arrives and
 * read strictly: every line ends in CRLF, a size has at most eight hexadecimal
 * digits, chunk extensions and trailer fields are skipped and bounded together.
 */
#ifndef SIDELIGHT_WEBHOOK_CHUNKED_H
#define SIDELIGHT_WEBHOOK_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/*
 *     SIZE --CR--> SIZE_LF --LF--> DATA --(size bytes)--> DATA_CR --> DATA_LF --LF--> SIZE
 *      | ;           ^ | LF, size 0
 *      v             | v
 *     EXTENSION --CR-+ TRAILER --CR--> TRAILER_LF --LF--> TRAILER, or DONE after an empty line
 */
enum chunked_state {
	CHUNKED_SIZE,
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILER,
	CHUNKED_TRAILER_LF,
	CHUNKED_DONE,
};

/* Zeroed before the first call for a body. */
struct chunked {
	enum chunked_state state;
	uint64_t left; /* of the chunk; the size itself while that is read */
	unsigned digits;
	unsigned line_bytes; /* of the trailer line */
	unsigned overhead; /* bytes of extensions and trailers, of the whole body */
};

/*
 * Reads from bytes, up to the end of the body at most. Returns how many bytes
 * it has taken, or -1 if this is not the chunked coding. The body's part among
 * them is *ret_data, in bytes. It takes at most one run of body bytes per call: call again while
 * it takes something and the state is not CHUNKED_DONE.
 */
long chunked_read(struct chunked *c, struct span bytes, struct span *ret_data);

#endif
