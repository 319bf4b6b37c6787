/* SPDX-License-Identifier: Apache-2.0 */
#include "export/xlsx.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/text.h"
#include "export/xlsx_parts.h"
#include "export/zip.h"

/* Text that waits for the compressor. */
#define BLOCK_BYTES (16u << 10)
/* Of the 4 GiB of an archive: what is left is for its end. */
#define ARCHIVE_MAX (UINT32_MAX - (64u << 20))
/* Of a sheet's XML, which has the same limit. */
#define SHEET_MAX (UINT32_MAX - (64u << 20))

/* Days from 30 December 1899, where dates of workbooks begin, to 1970. */
#define DAYS_TO_1970 25569
#define NS_PER_DAY   (86400 * UINT64_C(1000000000))

/* The sheet of a kind of requests that grows now. */
struct sheet {
	unsigned of; /* REQUEST_HTTP, REQUEST_GRPC */
	FILE *out;
	const struct request_picks *picks; /* borrowed */
	struct xlsx_part *part; /* NULL: none is begun */
	unsigned number; /* of parts of this kind */
	uint32_t rows;
	struct zip_entry entry;
	struct text xml; /* not compressed yet */
};

struct xlsx {
	struct zip zip;
	FILE *spool; /* of the sheets that wait; owned */
	uint32_t rows_max;
	struct sheet http;
	struct sheet grpc;
	struct xlsx_part parts[XLSX_PARTS_MAX];
	size_t part_count;
};

static FILE *open_spool(void)
{
	FILE *file = tmpfile();
	int fd;

	if (file)
		return file;
	fd = memfd_create("sidelight-xlsx", MFD_CLOEXEC);
	return fd < 0 ? NULL : fdopen(fd, "w+");
}

struct xlsx *xlsx_new(FILE *out, uint32_t rows_max, const struct request_picks *picks)
{
	struct xlsx *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	zip_init(&x->zip, out);
	x->rows_max = rows_max;
	x->http = (struct sheet){.of = REQUEST_HTTP, .out = out, .picks = picks};
	x->grpc = (struct sheet){.of = REQUEST_GRPC, .picks = picks};
	text_init(&x->http.xml);
	text_init(&x->grpc.xml);
	x->spool = x->grpc.out = open_spool();
	if (!x->spool)
		goto fail;
	return x;

fail:
	xlsx_free(x);
	return NULL;
}

static void sheet_release(struct sheet *s)
{
	if (s->part)
		zip_entry_release(&s->entry);
	text_release(&s->xml);
}

void xlsx_free(struct xlsx *x)
{
	if (!x)
		return;
	sheet_release(&x->http);
	sheet_release(&x->grpc);
	if (x->spool)
		(void)fclose(x->spool); /* nobody reads it any more */
	zip_release(&x->zip);
	free(x);
}

static int flush_xml(struct sheet *s)
{
	int err = s->xml.has_failed ? -ENOMEM : zip_entry_write(&s->entry, text_span(&s->xml));

	text_clear(&s->xml);
	return err;
}

/* Escaped for XML; a `_x0041_` in it would be read as an A (22.4.2.4 of part 1). */
static void add_xml(struct text *xml, const char *s)
{
	for (size_t left = XLSX_TEXT_MAX; *s && left; s++, left--) {
		if (*s == '&')
			text_add(xml, "&amp;");
		else if (*s == '<')
			text_add(xml, "&lt;");
		else if (*s == '>')
			text_add(xml, "&gt;");
		else if (*s == '_' && s[1] == 'x' && isxdigit((unsigned char)s[2]))
			text_add(xml, "_x005F_");
		else
			text_add_char(xml, *s);
	}
}

static void begin_cell(struct text *xml, unsigned column, uint32_t row)
{
	/* A to Z, then AA to ZZ: more than there are fields. */
	char first[] = {column < 26 ? '\0' : (char)('A' + column / 26 - 1), '\0'};

	text_addf(xml, "<c r=\"%s%c%u\"", first, 'A' + (int)(column % 26), row);
}

static void add_text_cell(struct text *xml, unsigned column, uint32_t row, const char *s,
			  enum xlsx_style style)
{
	struct text printable;

	if (!*s)
		return;
	text_init(&printable);
	request_add_printable(&printable, s);
	begin_cell(xml, column, row);
	text_addf(xml, " t=\"inlineStr\" s=\"%d\"><is><t xml:space=\"preserve\">", style);
	add_xml(xml, printable.ptr);
	text_add(xml, "</t></is></c>");
	xml->has_failed |= printable.has_failed;
	text_release(&printable);
}

/* A date is a number of days; 12 digits of a day are more than a double has. */
static void add_time_cell(struct text *xml, unsigned column, uint32_t row, uint64_t ns)
{
	if (!ns)
		return;
	begin_cell(xml, column, row);
	text_addf(xml, " s=\"%d\"><v>%" PRIu64 ".%012" PRIu64 "</v></c>", XLSX_STYLE_TIME,
		  ns / NS_PER_DAY + DAYS_TO_1970, ns % NS_PER_DAY * 10 / 864);
}

static void add_number_cell(struct text *xml, unsigned column, uint32_t row, double number,
			    bool is_ns)
{
	if (number < 0)
		return;
	begin_cell(xml, column, row);
	if (is_ns)
		text_addf(xml, " s=\"%d\"><v>%.6f</v></c>", XLSX_STYLE_MS, number / 1e6);
	else
		text_addf(xml, " s=\"%d\"><v>%.0f</v></c>", XLSX_STYLE_NUMBER, number);
}

static void add_bool_cell(struct text *xml, unsigned column, uint32_t row, bool value)
{
	begin_cell(xml, column, row);
	text_addf(xml, " t=\"b\"><v>%d</v></c>", value);
}

static void add_text_value(struct text *xml, unsigned column, uint32_t row,
			   const struct request_pick *pick, const cJSON *request)
{
	struct text value;

	text_init(&value);
	request_pick_add_text(&value, pick, request);
	add_text_cell(xml, column, row, value.ptr, XLSX_STYLE_NONE);
	xml->has_failed |= value.has_failed;
	text_release(&value);
}

static void add_cell(struct text *xml, unsigned column, uint32_t row,
		     const struct request_pick *pick, const cJSON *request)
{
	switch (request_pick_kind(pick)) {
	case FIELD_TEXT:
	case FIELD_HEADERS:
		add_text_value(xml, column, row, pick, request);
		break;
	case FIELD_TIME:
		add_time_cell(xml, column, row, request_time_ns(request));
		break;
	case FIELD_NUMBER:
	case FIELD_NS:
		add_number_cell(xml, column, row, request_number(request, pick->field->name),
				pick->field->kind == FIELD_NS);
		break;
	case FIELD_BOOL:
		add_bool_cell(xml, column, row, request_bool(request, pick->field->name));
		break;
	}
}

static void add_heading(struct text *xml, unsigned column, uint32_t row,
			const struct request_pick *pick)
{
	struct text heading;

	text_init(&heading);
	text_add_span(&heading, request_pick_heading(pick));
	add_text_cell(xml, column, row, heading.ptr, XLSX_STYLE_HEADING);
	xml->has_failed |= heading.has_failed;
	text_release(&heading);
}

/* NULL: the headings. */
static void add_row(struct sheet *s, const cJSON *request)
{
	uint32_t row = ++s->rows;
	unsigned column = 0;

	text_addf(&s->xml, "<row r=\"%u\">", row);
	for (size_t i = 0; i < s->picks->count; i++) {
		const struct request_pick *pick = &s->picks->pick[i];

		if (!(request_pick_of(pick) & s->of))
			continue;
		if (request)
			add_cell(&s->xml, column, row, pick, request);
		else
			add_heading(&s->xml, column, row, pick);
		column++;
	}
	text_add(&s->xml, "</row>");
}

static int begin_sheet(struct xlsx *x, struct sheet *s)
{
	char name[XLSX_NAME_SIZE];
	int err = 0;

	if (x->part_count == XLSX_PARTS_MAX)
		return -EFBIG;
	if (s == &x->http) {
		xlsx_part_name(name, x->part_count);
		err = zip_begin(&x->zip, name);
	}
	if (!err)
		err = zip_entry_begin(&s->entry, s->out);
	if (err)
		return err;
	s->part = &x->parts[x->part_count++];
	s->part->of = s->of;
	s->part->number = ++s->number;
	s->rows = 0;
	xlsx_add_sheet_begin(&s->xml, s->of, s->picks);
	add_row(s, NULL);
	return 0;
}

static int end_sheet(struct xlsx *x, struct sheet *s)
{
	char name[XLSX_NAME_SIZE];
	int err;

	xlsx_add_sheet_end(&s->xml);
	err = flush_xml(s);
	if (err)
		return err;
	err = zip_entry_end(&s->entry);
	s->part->entry = s->entry;
	xlsx_part_name(name, (size_t)(s->part - x->parts));
	s->part = NULL;
	if (err || s != &x->http)
		return err;
	return zip_end(&x->zip, name, &s->entry);
}

static bool is_full(const struct xlsx *x)
{
	return x->zip.at + x->http.entry.bytes + x->grpc.entry.bytes > ARCHIVE_MAX;
}

/* One sheet of each kind is there even if it stays empty. */
static int begin_sheets(struct xlsx *x)
{
	int err = x->part_count ? 0 : begin_sheet(x, &x->http);

	return err || x->part_count > 1 ? err : begin_sheet(x, &x->grpc);
}

int xlsx_add_request(struct xlsx *x, const cJSON *request)
{
	struct sheet *s = request_kind(request) == REQUEST_GRPC ? &x->grpc : &x->http;
	int err = is_full(x) ? -EFBIG : begin_sheets(x);

	if (!err && s->part && (s->rows == x->rows_max || s->entry.raw_bytes > SHEET_MAX))
		err = end_sheet(x, s);
	if (!err && !s->part)
		err = begin_sheet(x, s);
	if (err)
		return err;
	add_row(s, request);
	return s->xml.len < BLOCK_BYTES ? 0 : flush_xml(s);
}

static int copy_spooled(struct xlsx *x)
{
	int err = 0;

	if (fflush(x->spool) != 0)
		return -errno;
	rewind(x->spool);
	for (size_t i = 0; i < x->part_count && !err; i++) {
		char name[XLSX_NAME_SIZE];

		if (x->parts[i].of != REQUEST_GRPC)
			continue;
		xlsx_part_name(name, i);
		err = zip_add_deflated(&x->zip, name, &x->parts[i].entry, x->spool);
	}
	return err;
}

int xlsx_finish(struct xlsx *x)
{
	int err = begin_sheets(x);

	if (!err && x->http.part)
		err = end_sheet(x, &x->http);
	if (!err && x->grpc.part)
		err = end_sheet(x, &x->grpc);
	if (!err)
		err = copy_spooled(x);
	if (!err)
		err = xlsx_add_parts(&x->zip, x->parts, x->part_count);
	return err ? err : zip_finish(&x->zip);
}
