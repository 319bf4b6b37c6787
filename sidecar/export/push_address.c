/* SPDX-License-Identifier: Apache-2.0 */
#include "export/push_address.h"

#include <curl/curl.h>
#include <string.h>

#include "base/group.h"
#include "export/group.h"
#include "export/group_watch.h"
#include "export/push_format.h"

bool push_address_init(struct push_address *a, const char *gateway, const struct label *group,
		       size_t count, const char **ret_error)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	char *extra = NULL;
	char *shown = NULL;
	bool is_ok = false;

	text_init(&a->group);
	text_init(&a->shown);
	text_init(&a->page);
	text_init(&a->status);
	*ret_error = "not an http:// or https:// URL";
	if (!u || curl_url_set(u, CURLUPART_URL, gateway, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		goto out;
	*ret_error = "a gateway's URL has no query and no fragment";
	if (curl_url_get(u, CURLUPART_QUERY, &extra, 0) == CURLUE_OK ||
	    curl_url_get(u, CURLUPART_FRAGMENT, &extra, 0) == CURLUE_OK)
		goto out;
	*ret_error = "no memory";
	if (curl_url_set(u, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &shown, 0) != CURLUE_OK)
		goto out;
	group_add_url(&a->group, gateway, group, count);
	group_add_url(&a->shown, shown, group, count);
	group_add_root(&a->page, gateway, GROUP_PAGE_PATH);
	group_add_root(&a->status, gateway, GATEWAY_STATUS_PATH);
	is_ok = !a->group.has_failed && !a->shown.has_failed && !a->page.has_failed &&
		!a->status.has_failed;
out:
	curl_free(scheme);
	curl_free(extra);
	curl_free(shown);
	curl_url_cleanup(u);
	return is_ok;
}

void push_address_release(struct push_address *a)
{
	text_release(&a->group);
	text_release(&a->shown);
	text_release(&a->page);
	text_release(&a->status);
}
