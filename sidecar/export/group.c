/* SPDX-License-Identifier: Apache-2.0 */
#include "export/group.h"

#include "base/group.h"

void group_add_url(struct text *out, const char *base, const struct label *labels, size_t count)
{
	group_add_root(out, base, "/metrics");
	for (size_t i = 0; i < count; i++)
		group_add_label(out, labels[i].name, labels[i].value);
}
