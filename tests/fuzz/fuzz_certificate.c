/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of a server that a stranger wrote: the input is the message of TLS 1.2. It holds
 * that a time which is found is in the years that a certificate can name, and that it does not
 * depend on what follows the first certificate.
 */
#include "fuzz.h"
#include "tls/certificate.h"

#define YEAR_1	   (-INT64_C(62135596800))
#define YEAR_10000 INT64_C(253402300800)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t seconds = 0;
	int64_t again = 0;
	size_t first;

	if (!tls_certificate_expiry((struct span){(const char *)data, size}, &seconds))
		return 0;
	/* The 31st of a month may be the first of the next one. */
	fuzz_check(seconds >= YEAR_1 && seconds < YEAR_10000 + 86400);
	first = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];
	fuzz_check(first + 3 <= size);
	fuzz_check(tls_certificate_expiry((struct span){(const char *)data, first + 3}, &again));
	fuzz_check(again == seconds);
	return 0;
}
