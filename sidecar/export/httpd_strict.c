/* SPDX-License-Identifier: Apache-2.0 */
#include "export/httpd_strict.h"

#include <string.h>
#include <strings.h>

struct field_counts {
	unsigned hosts;
	unsigned lengths;
	unsigned encodings;
};

static enum MHD_Result count_field(void *ctx, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct field_counts *n = ctx;

	(void)kind;
	(void)value;
	n->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	n->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	n->encodings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
	return MHD_YES;
}

bool httpd_is_ambiguous(struct MHD_Connection *c, const char *version)
{
	struct field_counts n = {0};

	(void)MHD_get_connection_values(c, MHD_HEADER_KIND, count_field, &n); /* their number */
	return n.hosts > 1 || (n.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0) ||
	       n.lengths + n.encodings > 1;
}
