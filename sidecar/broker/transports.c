/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/transports.h"

#include <string.h>

static const struct transport *take_reader(struct transports *t, const struct sl_header_list *list,
					   uint64_t now_ms)
{
	struct transport *place = &t->transport[0];

	for (unsigned i = 0; i < TRANSPORTS_MAX; i++) {
		struct transport *other = &t->transport[i];

		if (other->seen_ms && other->object == list->object && other->tgid == list->tgid) {
			place = other;
			break;
		}
		if (other->seen_ms < place->seen_ms)
			place = other;
	}
	place->object = list->object;
	place->tgid = list->tgid;
	place->is_server = list->function == SL_LIST_SERVER_READS;
	place->seen_ms = now_ms;
	place->ends = list->ends;
	memcpy(place->word, list->word, sizeof(place->word));
	return place;
}

static bool refers_to(const struct transport *t, uint64_t object)
{
	for (unsigned i = 0; i < SL_LIST_WORDS; i++)
		if (t->word[i] == object)
			return true;
	return false;
}

static const struct transport *find_of_writer(const struct transports *t,
					      const struct sl_header_list *list, uint64_t now_ms)
{
	const struct transport *found = NULL;

	for (unsigned i = 0; i < TRANSPORTS_MAX; i++) {
		const struct transport *other = &t->transport[i];

		if (!other->seen_ms || now_ms - other->seen_ms > TRANSPORT_KEPT_MS ||
		    other->tgid != list->tgid || !refers_to(other, list->object))
			continue;
		if (found)
			return NULL;
		found = other;
	}
	return found;
}

const struct transport *transports_find(struct transports *t, const struct sl_header_list *list,
					uint64_t now_ms)
{
	return list->function == SL_LIST_WRITES ? find_of_writer(t, list, now_ms)
						: take_reader(t, list, now_ms);
}
