/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/transports.h"

#include <string.h>

/* IPv4 in IPv6 (RFC 4291, section 2.5.5.2), which Go has for IPv4, too. */
static struct sl_list_end plain(const struct sl_list_end *end)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct sl_list_end ret = *end;

	if (end->family != 6 || memcmp(end->addr, mapped, sizeof(mapped)) != 0)
		return ret;
	ret.family = 4;
	memset(ret.addr, 0, sizeof(ret.addr));
	memcpy(ret.addr, end->addr + sizeof(mapped), 4);
	return ret;
}

/* Several members of a transport may say the same. False: they do not say two ends. */
static bool take_ends(const struct sl_header_list *list, struct sl_list_end ret_ends[2])
{
	unsigned count = 0;

	for (unsigned i = 0; i < list->ends; i++) {
		struct sl_list_end end = plain(&list->end[i]);
		bool is_known = false;

		for (unsigned k = 0; k < count; k++)
			is_known |= memcmp(&ret_ends[k], &end, sizeof(end)) == 0;
		if (is_known)
			continue;
		if (count == 2)
			return false;
		ret_ends[count++] = end;
	}
	return count == 2;
}

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
	place->seen_ms = 0;
	if (!take_ends(list, place->end))
		return NULL;
	place->object = list->object;
	place->tgid = list->tgid;
	place->is_server = list->function == SL_LIST_SERVER_READS;
	place->seen_ms = now_ms;
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
