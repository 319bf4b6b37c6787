/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificate.h"

#include <stddef.h>

/* Tags of DER (X.690), with the class and whether it is constructed. */
enum {
	DER_INTEGER = 0x02,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_VERSION = 0xa0, /* [0] EXPLICIT */
};

/* Removes a vector with a length of three bytes from the front. */
static bool take_vector(struct span *s, struct span *ret)
{
	size_t len;

	if (s->len < 3)
		return false;
	len = (size_t)(uint8_t)s->ptr[0] << 16 | (size_t)(uint8_t)s->ptr[1] << 8 |
	      (uint8_t)s->ptr[2];
	if (len > s->len - 3)
		return false;
	*ret = (struct span){s->ptr + 3, len};
	*s = span_from(*s, 3 + len);
	return true;
}

/*
 * Removes an element from the front: its tag, and its contents of at most 65,535 bytes. ret may be
 * s: then the rest is dropped.
 */
static bool take(struct span *s, uint8_t *ret_tag, struct span *ret)
{
	struct span contents;
	size_t header = 2;
	size_t len;

	if (s->len < 2)
		return false;
	len = (uint8_t)s->ptr[1];
	if (len & 0x80) {
		size_t count = len & 0x7f;

		if (count < 1 || count > 2 || s->len < 2 + count)
			return false;
		len = 0;
		for (size_t i = 0; i < count; i++)
			len = len << 8 | (uint8_t)s->ptr[2 + i];
		header += count;
	}
	if (len > s->len - header)
		return false;
	*ret_tag = (uint8_t)s->ptr[0];
	contents = (struct span){s->ptr + header, len};
	*s = span_from(*s, header + len);
	*ret = contents;
	return true;
}

static bool take_tag(struct span *s, uint8_t tag, struct span *ret)
{
	uint8_t found;

	return take(s, &found, ret) && found == tag;
}

/* Removes a number of `count` digits. */
static bool take_digits(struct span *s, size_t count, unsigned *ret)
{
	unsigned n = 0;

	if (s->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (s->ptr[i] < '0' || s->ptr[i] > '9')
			return false;
		n = n * 10 + (unsigned)(s->ptr[i] - '0');
	}
	*s = span_from(*s, count);
	*ret = n;
	return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, in a year from 1 on. */
static int64_t days(unsigned year, unsigned month, unsigned day)
{
	/* Years begin with March here, so that a leap day is the last one. */
	int64_t y = (int64_t)year - (month <= 2);
	unsigned m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* RFC 5280 section 4.1.2.5: in GMT, with seconds, without fractions. */
static bool parse_time(uint8_t tag, struct span text, int64_t *ret_seconds)
{
	unsigned year, month, day, hour, minute, second;

	if (tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME)
		return false;
	if (!take_digits(&text, tag == DER_UTC_TIME ? 2 : 4, &year) ||
	    !take_digits(&text, 2, &month) || !take_digits(&text, 2, &day) ||
	    !take_digits(&text, 2, &hour) || !take_digits(&text, 2, &minute) ||
	    !take_digits(&text, 2, &second) || !span_is(text, "Z"))
		return false;
	if (tag == DER_UTC_TIME)
		year += year >= 50 ? 1900 : 2000;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	*ret_seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

bool tls_certificate_expiry(struct span body, int64_t *ret_seconds)
{
	struct span list, certificate, fields, ignored, validity, text;
	uint8_t tag;

	if (!take_vector(&body, &list) || !take_vector(&list, &certificate) ||
	    !take_tag(&certificate, DER_SEQUENCE, &fields) ||
	    !take_tag(&fields, DER_SEQUENCE, &fields) || !take(&fields, &tag, &ignored))
		return false;
	if (tag == DER_VERSION && !take(&fields, &tag, &ignored))
		return false;
	return tag == DER_INTEGER && /* the serial number */
	       take_tag(&fields, DER_SEQUENCE, &ignored) && /* of the signature's algorithm */
	       take_tag(&fields, DER_SEQUENCE, &ignored) && /* issuer */
	       take_tag(&fields, DER_SEQUENCE, &validity) && take(&validity, &tag, &ignored) &&
	       take(&validity, &tag, &text) && parse_time(tag, text, ret_seconds);
}
