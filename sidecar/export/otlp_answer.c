/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_answer.h"

#include <ctype.h>

#include "otlp.pb-c.h"

static void copy_line(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; from[n] && n + 1 < size; n++)
		to[n] = isprint((unsigned char)from[n]) ? from[n] : '?';
	to[n] = '\0';
}

bool otlp_answer_read(struct span body, struct otlp_answer *ret_answer)
{
	Otlp__Answer *a = otlp__answer__unpack(NULL, body.len, (const uint8_t *)body.ptr);
	const Otlp__PartialSuccess *partial;

	if (!a)
		return false;
	partial = a->partial_success;
	*ret_answer = (struct otlp_answer){0};
	if (partial && partial->has_rejected_points && partial->rejected_points > 0)
		ret_answer->rejected_points = (uint64_t)partial->rejected_points;
	if (partial && partial->error_message)
		copy_line(ret_answer->message, sizeof(ret_answer->message), partial->error_message);
	otlp__answer__free_unpacked(a, NULL);
	return true;
}
