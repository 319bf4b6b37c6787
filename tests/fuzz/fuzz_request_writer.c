/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that claim to be requests, in every format. It holds that
 *   - what is no object is refused, and nothing else is;
 *   - tables, CSV and HAR have no byte outside of printable ASCII, but line ends;
 *   - CSV has a record for each request, all with the same number of fields, none of which is a
 *     formula;
 *   - HAR is JSON, with an entry for each request.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "export/request_fields.h"
#include "export/request_writer.h"
#include "fuzz.h"

static void check_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fuzz_check(text[i] == '\n' || text[i] == '\r' ||
			   (text[i] >= ' ' && text[i] <= '~'));
}

static void check_csv(const char *at, size_t records, size_t fields)
{
	for (size_t n = 0; n < records; n++) {
		for (size_t field = 0; field < fields; field++) {
			fuzz_check(!*at || !strchr("=+-@", *at));
			if (*at == '"') {
				fuzz_check(!strchr("=+-@", at[1]));
				for (at++; *at && (*at != '"' || at[1] == '"'); at++)
					at += *at == '"';
				fuzz_check(*at++ == '"');
			} else {
				at += strcspn(at, ",\"\r");
			}
			fuzz_check(*at == (field + 1 < fields ? ',' : '\r'));
			at++;
		}
		fuzz_check(*at++ == '\n');
	}
	fuzz_check(!*at);
}

static void check_har(const char *text, size_t len, size_t requests)
{
	cJSON *har = cJSON_ParseWithLength(text, len);
	const cJSON *log = cJSON_GetObjectItem(har, "log");

	fuzz_check((size_t)cJSON_GetArraySize(cJSON_GetObjectItem(log, "entries")) == requests);
	cJSON_Delete(har);
}

/* Returns how many lines were taken. */
static size_t add_lines(struct request_writer *w, struct span rest)
{
	size_t taken = 0;

	while (rest.len) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
		int err = request_writer_add(w, (struct span){rest.ptr, len});

		fuzz_check(!err || err == -EBADMSG);
		taken += !err;
		rest = span_from(rest, len + (end != NULL));
	}
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum request_format formats[] = {FORMAT_TABLE, FORMAT_CSV, FORMAT_XLSX,
						      FORMAT_HAR};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *made = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&made, &len);
		struct request_writer *w = request_writer_new(out, formats[i], size % 2);
		size_t taken;

		fuzz_check(out && w);
		request_writer_fit(w, size % 3 ? 0 : size % 200, size % 5 == 0);
		if (size % 7 == 0)
			request_writer_show_headers(w);
		taken = add_lines(w, (struct span){(const char *)data, size});
		fuzz_check(request_writer_finish(w) == 0);
		request_writer_free(w);
		fuzz_check(fclose(out) == 0);
		if (formats[i] == FORMAT_CSV || formats[i] == FORMAT_HAR ||
		    (formats[i] == FORMAT_TABLE && size % 5))
			check_printable(made, len);
		if (formats[i] == FORMAT_CSV)
			check_csv(made, taken + 1,
				  size % 7 ? request_field_count : request_field_count_all);
		if (formats[i] == FORMAT_HAR)
			check_har(made, len, taken);
		free(made);
	}
	return 0;
}
