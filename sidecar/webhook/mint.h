/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority that signs one serving certificate and is thrown
 * away: its key is written nowhere, so what trusts it trusts that certificate only.
 * ECDSA P-256, SHA-256.
 */
#ifndef SIDELIGHT_WEBHOOK_MINT_H
#define SIDELIGHT_WEBHOOK_MINT_H

#include <stdint.h>

#include "base/text.h"

struct mint_names {
	const char *service;
	const char *namespace;
};

/* PEM. */
struct minted {
	struct text authority;
	struct text cert; /* for SERVICE.NAMESPACE.svc, and its shorter and longer names */
	struct text key;
};

/* Valid from an hour ago for so many days. Returns 0 or GnuTLS' error; fills ret on success only.
 */
int mint(const struct mint_names *names, unsigned days, struct minted *ret);
void minted_release(struct minted *m);

#endif
