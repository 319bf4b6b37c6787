/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_address.h"

#include <curl/curl.h>

#include "base/push_url.h"

#define METRICS_PATH "/v1/metrics"

static void add_url(struct text *out, const char *url, bool is_base)
{
	struct span whole = span_of(url);

	while (is_base && whole.len && whole.ptr[whole.len - 1] == '/')
		whole.len--;
	text_add_span(out, whole);
	if (is_base)
		text_add(out, METRICS_PATH);
}

bool otlp_address_init(struct otlp_address *a, const char *url, bool is_base,
		       const char **ret_error)
{
	CURLU *u = curl_url();
	char *shown = NULL;
	bool is_ok = false;

	text_init(&a->url);
	text_init(&a->shown);
	*ret_error = "not " PUSH_URL_WANTED;
	if (!push_url_is_valid(url))
		goto out;
	*ret_error = "no memory";
	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &shown, 0) != CURLUE_OK)
		goto out;
	add_url(&a->url, url, is_base);
	add_url(&a->shown, shown, is_base);
	is_ok = !a->url.has_failed && !a->shown.has_failed;
out:
	curl_free(shown);
	curl_url_cleanup(u);
	return is_ok;
}

void otlp_address_release(struct otlp_address *a)
{
	text_release(&a->url);
	text_release(&a->shown);
}
