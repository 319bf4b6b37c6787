/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/mint.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define CLOCK_SKEW_S 3600
#define DAY_S	     86400

struct pair {
	gnutls_x509_crt_t cert;
	gnutls_x509_privkey_t key;
};

static void pair_release(struct pair *p)
{
	gnutls_x509_crt_deinit(p->cert);
	gnutls_x509_privkey_deinit(p->key);
}

/* A key, and a certificate of it with what both kinds share. */
static int pair_init(struct pair *p, const char *common_name, unsigned days)
{
	unsigned char serial[16];
	unsigned char id[64];
	size_t id_len = sizeof(id);
	time_t now = time(NULL);
	int err;

	*p = (struct pair){NULL, NULL};
	if ((err = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial))) ||
	    (err = gnutls_x509_privkey_init(&p->key)) ||
	    (err = gnutls_x509_privkey_generate(p->key, GNUTLS_PK_ECDSA,
						GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
						0)) ||
	    (err = gnutls_x509_crt_init(&p->cert)))
		return err;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* a positive number, RFC 5280 section 4.1.2.2 */
	if ((err = gnutls_x509_crt_set_version(p->cert, 3)) ||
	    (err = gnutls_x509_crt_set_serial(p->cert, serial, sizeof(serial))) ||
	    (err = gnutls_x509_crt_set_activation_time(p->cert, now - CLOCK_SKEW_S)) ||
	    (err = gnutls_x509_crt_set_expiration_time(p->cert, now + (time_t)days * DAY_S)) ||
	    (err = gnutls_x509_crt_set_dn_by_oid(p->cert, GNUTLS_OID_X520_COMMON_NAME, 0,
						 common_name, (unsigned)strlen(common_name))) ||
	    (err = gnutls_x509_crt_set_key(p->cert, p->key)) ||
	    (err = gnutls_x509_crt_get_key_id(p->cert, 0, id, &id_len)))
		return err;
	return gnutls_x509_crt_set_subject_key_id(p->cert, id, id_len);
}

static int make_authority(struct pair *p, unsigned days)
{
	int err = pair_init(p, "sidelight-webhook authority", days);

	if (err || (err = gnutls_x509_crt_set_basic_constraints(p->cert, 1, 0)) ||
	    (err = gnutls_x509_crt_set_key_usage(p->cert, GNUTLS_KEY_KEY_CERT_SIGN)))
		return err;
	return gnutls_x509_crt_sign2(p->cert, p->cert, p->key, GNUTLS_DIG_SHA256, 0);
}

/* The names that clients may use; the API server uses the first. */
static int set_names(gnutls_x509_crt_t cert, const struct mint_names *names)
{
	static const char *const ends[] = {".svc", ".svc.cluster.local", ""};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct text name;

		text_init(&name);
		text_addf(&name, "%s.%s%s", names->service, names->namespace, ends[i]);
		err = name.has_failed
			      ? GNUTLS_E_MEMORY_ERROR
			      : gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME,
								     name.ptr, (unsigned)name.len,
								     GNUTLS_FSAN_APPEND);
		text_release(&name);
	}
	return err;
}

static int make_server(struct pair *p, const struct pair *authority, const struct mint_names *names,
		       unsigned days)
{
	unsigned char id[64];
	size_t id_len = sizeof(id);
	unsigned critical;
	int err = pair_init(p, "sidelight-webhook", days);

	if (err || (err = gnutls_x509_crt_set_basic_constraints(p->cert, 0, -1)) ||
	    (err = gnutls_x509_crt_set_key_usage(p->cert, GNUTLS_KEY_DIGITAL_SIGNATURE)) ||
	    (err = gnutls_x509_crt_set_key_purpose_oid(p->cert, GNUTLS_KP_TLS_WWW_SERVER, 0)) ||
	    (err = set_names(p->cert, names)) ||
	    (err = gnutls_x509_crt_get_subject_key_id(authority->cert, id, &id_len, &critical)) ||
	    (err = gnutls_x509_crt_set_authority_key_id(p->cert, id, id_len)))
		return err;
	return gnutls_x509_crt_sign2(p->cert, authority->cert, authority->key, GNUTLS_DIG_SHA256,
				     0);
}

/* Takes pem. */
static int keep(struct text *out, gnutls_datum_t *pem)
{
	text_init(out);
	text_add_span(out, (struct span){(const char *)pem->data, pem->size});
	gnutls_memset(pem->data, 0, pem->size);
	gnutls_free(pem->data);
	return out->has_failed ? GNUTLS_E_MEMORY_ERROR : 0;
}

int mint(const struct mint_names *names, unsigned days, struct minted *ret)
{
	struct pair authority = {NULL, NULL};
	struct pair server = {NULL, NULL};
	struct minted m;
	gnutls_datum_t pem;
	int err;

	text_init(&m.authority);
	text_init(&m.cert);
	text_init(&m.key);
	if (!(err = make_authority(&authority, days)) &&
	    !(err = make_server(&server, &authority, names, days)) &&
	    !(err = gnutls_x509_crt_export2(authority.cert, GNUTLS_X509_FMT_PEM, &pem)) &&
	    !(err = keep(&m.authority, &pem)) &&
	    !(err = gnutls_x509_crt_export2(server.cert, GNUTLS_X509_FMT_PEM, &pem)) &&
	    !(err = keep(&m.cert, &pem)) &&
	    !(err = gnutls_x509_privkey_export2_pkcs8(server.key, GNUTLS_X509_FMT_PEM, NULL,
						      GNUTLS_PKCS_PLAIN, &pem)))
		err = keep(&m.key, &pem);
	pair_release(&authority);
	pair_release(&server);
	if (err)
		minted_release(&m);
	else
		*ret = m;
	return err;
}

void minted_release(struct minted *m)
{
	gnutls_memset(m->key.ptr, 0, m->key.len);
	text_release(&m->key);
	text_release(&m->cert);
	text_release(&m->authority);
}
