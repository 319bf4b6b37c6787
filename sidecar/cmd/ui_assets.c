/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ui_assets.h"

#include <stddef.h>
#include <string.h>

static const char page_html[] =
#include "cmd/ui/page.html.h"
	;
static const char page_css[] =
#include "cmd/ui/page.css.h"
	;
static const char data_js[] =
#include "cmd/ui/data.js.h"
	;
static const char charts_js[] =
#include "cmd/ui/charts.js.h"
	;
static const char page_js[] =
#include "cmd/ui/page.js.h"
	;
static const char uplot_js[] =
#include "cmd/ui/uPlot.iife.min.js.h"
	;
static const char uplot_css[] =
#include "cmd/ui/uPlot.min.css.h"
	;
static const char uplot_license[] =
#include "cmd/ui/uPlot.LICENSE.h"
	;

#define BODY(array)                                                                                \
	{                                                                                          \
		array, sizeof(array) - 1                                                           \
	}
#define HTML   "text/html; charset=utf-8"
#define CSS    "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"

static const struct ui_asset assets[] = {
	{"/", HTML, BODY(page_html)},
	{"/page.css", CSS, BODY(page_css)},
	{"/data.js", SCRIPT, BODY(data_js)},
	{"/charts.js", SCRIPT, BODY(charts_js)},
	{"/page.js", SCRIPT, BODY(page_js)},
	{"/uPlot.js", SCRIPT, BODY(uplot_js)},
	{"/uPlot.css", CSS, BODY(uplot_css)},
	{"/uPlot.LICENSE", "text/plain; charset=utf-8", BODY(uplot_license)},
};

const struct ui_asset *ui_asset_find(const char *path)
{
	for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
		if (strcmp(assets[i].path, path) == 0)
			return &assets[i];
	return NULL;
}
