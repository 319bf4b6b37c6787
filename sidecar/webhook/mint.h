/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority, and a serving certificate that it signs. ECDSA P-256, SHA-256.
 *
 * A renewal goes on with the authority of before: the API server learns of a new caBundle
 * and the webhook of a new Secret at different times, so neither may depend on the other.
 * Where the old authority cannot sign (its key is not there, or does not fit, or it ends
 * before the new certificate would), there is a new one, and the bundle has both.
 */
#ifndef SIDELIGHT_WEBHOOK_MINT_H
#define SIDELIGHT_WEBHOOK_MINT_H

#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

struct mint_names {
	const char *service;
	const char *namespace;
};

/* Authorities of before that stay in the bundle beside a new one. */
#define MINT_OLD_MAX 3

/* PEM; either may be empty. */
struct mint_previous {
	struct span authority; /* a bundle, the newest first */
	struct span authority_key; /* of the first */
};

/* PEM. */
struct minted {
	struct text authority; /* a bundle: the one that signed, then those of before */
	struct text authority_key;
	struct text cert; /* for SERVICE.NAMESPACE.svc, and its shorter and longer names */
	struct text key;
};

/*
 * The serving certificate is valid from an hour ago for so many days, a new authority for
 * ten years more. Returns 0 or GnuTLS' error; fills ret on success only.
 */
int mint(const struct mint_names *names, unsigned days, const struct mint_previous *previous,
	 struct minted *ret);
void minted_release(struct minted *m);

#endif
