/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/mint.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define CLOCK_SKEW_S   3600
#define DAY_S	       86400
#define AUTHORITY_DAYS 3650

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

static gnutls_datum_t datum_of(struct span pem)
{
	return (gnutls_datum_t){(unsigned char *)pem.ptr, (unsigned)pem.len};
}

static bool is_pair(const struct pair *p)
{
	unsigned char of_cert[64];
	unsigned char of_key[64];
	size_t cert_len = sizeof(of_cert);
	size_t key_len = sizeof(of_key);

	return gnutls_x509_crt_get_key_id(p->cert, 0, of_cert, &cert_len) == 0 &&
	       gnutls_x509_privkey_get_key_id(p->key, 0, of_key, &key_len) == 0 &&
	       cert_len == key_len && memcmp(of_cert, of_key, cert_len) == 0;
}

/* The authority of before, if it can sign a certificate that ends in so many days. */
static bool use_previous(struct pair *p, const struct mint_previous *previous, unsigned days)
{
	gnutls_datum_t cert = datum_of(previous->authority);
	gnutls_datum_t key = datum_of(previous->authority_key);

	*p = (struct pair){NULL, NULL};
	if (previous->authority.len && previous->authority_key.len &&
	    gnutls_x509_crt_init(&p->cert) == 0 && gnutls_x509_privkey_init(&p->key) == 0 &&
	    gnutls_x509_crt_import(p->cert, &cert, GNUTLS_X509_FMT_PEM) == 0 &&
	    gnutls_x509_privkey_import(p->key, &key, GNUTLS_X509_FMT_PEM) == 0 &&
	    gnutls_x509_crt_get_ca_status(p->cert, NULL) > 0 && is_pair(p) &&
	    gnutls_x509_crt_get_expiration_time(p->cert) > time(NULL) + (time_t)days * DAY_S)
		return true;
	pair_release(p);
	return false;
}

/* PEM of the certificate; `out` grows by it. */
static int add_cert(struct text *out, gnutls_x509_crt_t cert)
{
	gnutls_datum_t pem;
	int err = gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem);

	if (err)
		return err;
	text_add_span(out, (struct span){(const char *)pem.data, pem.size});
	gnutls_free(pem.data);
	return out->has_failed ? GNUTLS_E_MEMORY_ERROR : 0;
}

/* The certificates of the old bundle that are still valid, but `not_this`. */
static int add_old(struct text *out, struct span bundle, gnutls_x509_crt_t not_this)
{
	gnutls_datum_t pem = datum_of(bundle);
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	unsigned kept = 0;
	int err = 0;

	/* What is no bundle has no certificate to keep. */
	if (!bundle.len ||
	    gnutls_x509_crt_list_import2(&list, &count, &pem, GNUTLS_X509_FMT_PEM, 0) < 0)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (!err && kept < MINT_OLD_MAX && !gnutls_x509_crt_equals(list[i], not_this) &&
		    gnutls_x509_crt_get_expiration_time(list[i]) > time(NULL)) {
			err = add_cert(out, list[i]);
			kept++;
		}
		gnutls_x509_crt_deinit(list[i]);
	}
	gnutls_free(list);
	return err;
}

static int add_key(struct text *out, gnutls_x509_privkey_t key)
{
	gnutls_datum_t pem;
	int err = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
						    GNUTLS_PKCS_PLAIN, &pem);

	if (err)
		return err;
	text_add_span(out, (struct span){(const char *)pem.data, pem.size});
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return out->has_failed ? GNUTLS_E_MEMORY_ERROR : 0;
}

int mint(const struct mint_names *names, unsigned days, const struct mint_previous *previous,
	 struct minted *ret)
{
	struct pair authority = {NULL, NULL};
	struct pair server = {NULL, NULL};
	struct minted m;
	int err = 0;

	text_init(&m.authority);
	text_init(&m.authority_key);
	text_init(&m.cert);
	text_init(&m.key);
	if (!use_previous(&authority, previous, days))
		err = make_authority(&authority, days + AUTHORITY_DAYS);
	if (!err && !(err = make_server(&server, &authority, names, days)) &&
	    !(err = add_cert(&m.authority, authority.cert)) &&
	    !(err = add_old(&m.authority, previous->authority, authority.cert)) &&
	    !(err = add_key(&m.authority_key, authority.key)) &&
	    !(err = add_cert(&m.cert, server.cert)))
		err = add_key(&m.key, server.key);
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
	gnutls_memset(m->authority_key.ptr, 0, m->authority_key.len);
	text_release(&m->authority_key);
	text_release(&m->key);
	text_release(&m->cert);
	text_release(&m->authority);
}
