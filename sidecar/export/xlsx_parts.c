/* SPDX-License-Identifier: Apache-2.0 */
#include "export/xlsx_parts.h"

#include <errno.h>
#include <stdio.h>

#include "export/request_fields.h"

#define XML	      "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
#define MAIN	      "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
#define RELATIONS     "http://schemas.openxmlformats.org/package/2006/relationships"
#define DOCUMENT      "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#define CONTENT_TYPES "http://schemas.openxmlformats.org/package/2006/content-types"
#define TYPE	      "application/vnd.openxmlformats-officedocument.spreadsheetml."

static const char root_relations[] =
	XML "<Relationships xmlns=\"" RELATIONS "\"><Relationship Id=\"rId1\" Type=\"" DOCUMENT
	    "/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>";

/* cellXfs is in the order of enum xlsx_style. */
static const char styles[] =
	XML "<styleSheet xmlns=\"" MAIN "\">"
	    "<numFmts count=\"2\"><numFmt numFmtId=\"164\" formatCode=\"yyyy-mm-dd "
	    "hh:mm:ss.000\"/><numFmt numFmtId=\"165\" formatCode=\"0.000\"/></numFmts>"
	    "<fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font>"
	    "<font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts>"
	    "<fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>"
	    "<fill><patternFill patternType=\"gray125\"/></fill></fills>"
	    "<borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border>"
	    "</borders><cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" "
	    "borderId=\"0\"/></cellStyleXfs><cellXfs count=\"5\">"
	    "<xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>"
	    "<xf numFmtId=\"0\" fontId=\"1\" fillId=\"0\" borderId=\"0\" xfId=\"0\" "
	    "applyFont=\"1\"/>"
	    "<xf numFmtId=\"164\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" "
	    "applyNumberFormat=\"1\"/>"
	    "<xf numFmtId=\"165\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" "
	    "applyNumberFormat=\"1\"/>"
	    "<xf numFmtId=\"1\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" "
	    "applyNumberFormat=\"1\"/></cellXfs>"
	    "<cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/>"
	    "</cellStyles></styleSheet>";

void xlsx_part_name(char name[XLSX_NAME_SIZE], size_t position)
{
	/* Has room for any position. */
	(void)snprintf(name, XLSX_NAME_SIZE, "xl/worksheets/sheet%zu.xml", position + 1);
}

void xlsx_add_sheet_begin(struct text *xml, unsigned of, const struct request_picks *picks)
{
	unsigned column = 0;

	text_add(xml, XML "<worksheet xmlns=\"" MAIN "\"><sheetViews><sheetView "
			  "workbookViewId=\"0\"><pane ySplit=\"1\" topLeftCell=\"A2\" "
			  "activePane=\"bottomLeft\" state=\"frozen\"/></sheetView></sheetViews>");
	for (size_t i = 0; i < picks->count; i++) {
		if (!(request_pick_of(&picks->pick[i]) & of))
			continue;
		column++;
		text_addf(xml, "%s<col min=\"%u\" max=\"%u\" width=\"%u\" customWidth=\"1\"/>",
			  column == 1 ? "<cols>" : "", column, column,
			  request_pick_width(&picks->pick[i]) + 2);
	}
	text_add(xml, column ? "</cols><sheetData>" : "<sheetData>");
}

void xlsx_add_sheet_end(struct text *xml)
{
	text_add(xml, "</sheetData></worksheet>");
}

/* Sheets as a person wants to see them: all of HTTP, then all of gRPC. */
static void add_workbook(struct text *t, const struct xlsx_part *parts, size_t count)
{
	static const struct {
		unsigned of;
		const char *title;
	} kinds[] = {{REQUEST_HTTP, "HTTP"}, {REQUEST_GRPC, "gRPC"}};

	text_add(t, XML "<workbook xmlns=\"" MAIN "\" xmlns:r=\"" DOCUMENT "\"><sheets>");
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (size_t i = 0; i < count; i++) {
			if (parts[i].of != kinds[k].of)
				continue;
			text_addf(t, "<sheet name=\"%s", kinds[k].title);
			if (parts[i].number > 1)
				text_addf(t, " %u", parts[i].number);
			text_addf(t, "\" sheetId=\"%zu\" r:id=\"rId%zu\"/>", i + 1, i + 1);
		}
	}
	text_add(t, "</sheets></workbook>");
}

static void add_relations(struct text *t, size_t count)
{
	text_add(t, XML "<Relationships xmlns=\"" RELATIONS "\">");
	for (size_t i = 1; i <= count; i++)
		text_addf(t,
			  "<Relationship Id=\"rId%zu\" Type=\"" DOCUMENT
			  "/worksheet\" Target=\"worksheets/sheet%zu.xml\"/>",
			  i, i);
	text_addf(t,
		  "<Relationship Id=\"rId%zu\" Type=\"" DOCUMENT
		  "/styles\" Target=\"styles.xml\"/></Relationships>",
		  count + 1);
}

static void add_types(struct text *t, size_t count)
{
	text_add(t,
		 XML "<Types xmlns=\"" CONTENT_TYPES "\"><Default Extension=\"rels\" "
		     "ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
		     "<Default Extension=\"xml\" ContentType=\"application/xml\"/>"
		     "<Override PartName=\"/xl/workbook.xml\" ContentType=\"" TYPE
		     "sheet.main+xml\"/><Override PartName=\"/xl/styles.xml\" ContentType=\"" TYPE
		     "styles+xml\"/>");
	for (size_t i = 1; i <= count; i++)
		text_addf(t,
			  "<Override PartName=\"/xl/worksheets/sheet%zu.xml\" ContentType=\"" TYPE
			  "worksheet+xml\"/>",
			  i);
	text_add(t, "</Types>");
}

/* Adds t, and empties it. */
static int add_part(struct zip *z, const char *name, struct text *t)
{
	int err = t->has_failed ? -ENOMEM : zip_add(z, name, text_span(t));

	text_clear(t);
	return err;
}

int xlsx_add_parts(struct zip *z, const struct xlsx_part *parts, size_t count)
{
	struct text t;
	int err;

	text_init(&t);
	add_types(&t, count);
	err = add_part(z, "[Content_Types].xml", &t);
	if (!err)
		err = zip_add(z, "_rels/.rels", span_of(root_relations));
	add_workbook(&t, parts, count);
	if (!err)
		err = add_part(z, "xl/workbook.xml", &t);
	add_relations(&t, count);
	if (!err)
		err = add_part(z, "xl/_rels/workbook.xml.rels", &t);
	if (!err)
		err = zip_add(z, "xl/styles.xml", span_of(styles));
	text_release(&t);
	return err;
}
