/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the page of `sidelight ui` (sidecar/cmd/ui), which are a part of the program. */
#ifndef SIDELIGHT_CMD_UI_ASSETS_H
#define SIDELIGHT_CMD_UI_ASSETS_H

#include "base/span.h"

struct ui_asset {
	const char *path;
	const char *type;
	struct span body;
};

/* NULL: there is no such file. "/" is the page. */
const struct ui_asset *ui_asset_find(const char *path);

#endif
