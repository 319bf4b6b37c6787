/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define CHAIN_MAX      16
#define FILE_BYTES_MAX (256u << 10)

/* A list, oldest first; the last one is in use. */
struct cert {
	struct cert *next;
	size_t holders; /* connections that began while it was the one in use */
	int64_t expiry;
	gnutls_privkey_t key;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned chain_len;
};

static struct cert *oldest;
static struct cert *current;

static void cert_free(struct cert *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->chain_len; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	gnutls_privkey_deinit(c->key);
	free(c);
}

/*
 * A handshake uses the certificate that is current while it goes on, which is
 * the one of its connection's beginning or a newer one. So from the oldest on,
 * those without holders are free until one has some.
 */
static void free_unused(void)
{
	while (oldest && oldest != current && oldest->holders == 0) {
		struct cert *next = oldest->next;

		cert_free(oldest);
		oldest = next;
	}
}

static int read_file(const char *file, struct text *out, struct text *error)
{
	scoped_file FILE *in = fopen(file, "re");
	char buf[4096];
	size_t n;
	int err = -errno;

	if (!in) {
		text_addf(error, "%s: %s", file, strerror(-err));
		return err;
	}
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0 && out->len <= FILE_BYTES_MAX)
		text_add_span(out, (struct span){buf, n});
	if (ferror(in) || out->has_failed || out->len > FILE_BYTES_MAX) {
		text_addf(error, "%s cannot be read, or is larger than a certificate", file);
		return -EIO;
	}
	return 0;
}

static gnutls_datum_t datum(const struct text *t)
{
	return (gnutls_datum_t){(unsigned char *)t->ptr, (unsigned)t->len};
}

static int64_t expiry_of(const gnutls_pcert_st *cert)
{
	gnutls_pcert_st copy = *cert; /* the function takes it writable, and does not write */
	gnutls_x509_crt_t x509 = NULL;
	int64_t expiry = 0;

	if (gnutls_pcert_export_x509(&copy, &x509) == 0)
		expiry = gnutls_x509_crt_get_expiration_time(x509);
	gnutls_x509_crt_deinit(x509);
	return expiry;
}

static bool is_pair(const struct cert *c)
{
	unsigned char of_cert[64];
	unsigned char of_key[64];
	size_t cert_len = sizeof(of_cert);
	size_t key_len = sizeof(of_key);
	gnutls_pubkey_t public = NULL;
	bool ok = gnutls_pubkey_init(&public) == 0 &&
		  gnutls_pubkey_import_privkey(public, c->key, 0, 0) == 0 &&
		  gnutls_pubkey_get_key_id(public, 0, of_key, &key_len) == 0 &&
		  gnutls_pubkey_get_key_id(c->chain[0].pubkey, 0, of_cert, &cert_len) == 0 &&
		  cert_len == key_len && memcmp(of_cert, of_key, key_len) == 0;

	gnutls_pubkey_deinit(public);
	return ok;
}

static int import(struct cert *c, const struct text *cert, const struct text *key,
		  const char *cert_file, const char *key_file, struct text *error)
{
	gnutls_datum_t cert_pem = datum(cert);
	gnutls_datum_t key_pem = datum(key);
	unsigned len = CHAIN_MAX;

	if (gnutls_pcert_list_import_x509_raw(c->chain, &len, &cert_pem, GNUTLS_X509_FMT_PEM, 0)) {
		text_addf(error, "%s holds no certificate (PEM)", cert_file);
		return -EINVAL;
	}
	c->chain_len = len;
	if (gnutls_privkey_init(&c->key) ||
	    gnutls_privkey_import_x509_raw(c->key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0)) {
		text_addf(error, "%s holds no private key (PEM)", key_file);
		return -EINVAL;
	}
	if (!is_pair(c)) {
		text_addf(error, "%s is not the key of %s", key_file, cert_file);
		return -EINVAL;
	}
	c->expiry = expiry_of(&c->chain[0]);
	return 0;
}

int cert_load(const char *cert_file, const char *key_file, struct text *error)
{
	struct cert *c = calloc(1, sizeof(*c));
	struct text cert;
	struct text key;
	int err = c ? 0 : -ENOMEM;

	text_init(&cert);
	text_init(&key);
	if (!err)
		err = read_file(cert_file, &cert, error);
	if (!err)
		err = read_file(key_file, &key, error);
	if (!err)
		err = import(c, &cert, &key, cert_file, key_file, error);
	gnutls_memset(key.ptr, 0, key.len);
	text_release(&key);
	text_release(&cert);
	if (err) {
		cert_free(c);
		return err;
	}
	if (current)
		current->next = c;
	else
		oldest = c;
	current = c;
	free_unused();
	return 0;
}

struct cert *cert_hold(void)
{
	current->holders++;
	return current;
}

void cert_drop(struct cert *c)
{
	c->holders--;
	free_unused();
}

int64_t cert_expiry(void)
{
	return current ? current->expiry : 0;
}

int cert_choose(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
		const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
		gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key)
{
	(void)session;
	(void)authorities;
	(void)authority_count;
	(void)algorithms;
	(void)algorithm_count;
	*chain = current->chain;
	*chain_len = current->chain_len;
	*key = current->key;
	return 0;
}

void cert_release(void)
{
	current = NULL;
	free_unused();
}
