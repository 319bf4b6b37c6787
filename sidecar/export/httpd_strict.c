/* SPDX-License-Identifier: Apache-2.0 */
#include "export/httpd_strict.h"

#include <string.h>

#include "base/http_syntax.h"

struct head {
	unsigned hosts;
	unsigned lengths;
	unsigned encodings;
	bool is_malformed;
};

static enum MHD_Result take_field(void *ctx, enum MHD_ValueKind kind, const char *name_ptr,
				  size_t name_len, const char *value_ptr, size_t value_len)
{
	const struct span name = {name_ptr, name_len};
	const struct span value = {value_ptr, value_ptr ? value_len : 0}; /* none: not in a head */
	struct head *h = ctx;

	(void)kind;
	h->is_malformed |= !http_is_token(name) || !http_is_field_value(value);
	if (span_is_word(name, MHD_HTTP_HEADER_HOST)) {
		h->hosts++;
		h->is_malformed |= !http_is_host(value);
	}
	h->lengths += span_is_word(name, MHD_HTTP_HEADER_CONTENT_LENGTH);
	h->encodings += span_is_word(name, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	return MHD_YES;
}

bool httpd_is_malformed(struct MHD_Connection *c, const char *version)
{
	bool is_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
	struct head h = {0};

	(void)MHD_get_connection_values_n(c, MHD_HEADER_KIND, take_field, &h); /* their number */
	return h.is_malformed || h.hosts > 1 || (h.hosts == 0 && !is_1_0) ||
	       h.lengths + h.encodings > 1 || (h.encodings > 0 && is_1_0);
}
