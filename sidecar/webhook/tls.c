/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/tls.h"

#include <errno.h>
#include <gnutls/x509.h>

#include "base/cleanup.h"
#include "webhook/cert.h"

/* A ClientHello has 500 bytes, a chain of client certificates a few. */
#define HANDSHAKE_BYTES_MAX (32u << 10)
#define CHAIN_MAX	    8
/* Records that carry no data (alerts, key updates) and are skipped in one call. */
#define SKIPPED_MAX 4

static const char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priorities;
static gnutls_x509_trust_list_t clients; /* NULL: none are asked for */

int tls_start(void)
{
	if (gnutls_certificate_allocate_credentials(&credentials) ||
	    gnutls_priority_init(&priorities, versions, NULL))
		return -ENOMEM;
	gnutls_certificate_set_retrieve_function2(credentials, cert_choose);
	return 0;
}

void tls_stop(void)
{
	if (credentials)
		gnutls_certificate_free_credentials(credentials);
	if (priorities)
		gnutls_priority_deinit(priorities);
	if (clients)
		gnutls_x509_trust_list_deinit(clients, 1);
	credentials = NULL;
	priorities = NULL;
	clients = NULL;
}

int tls_require_clients(const char *file, struct text *error)
{
	gnutls_x509_trust_list_t list = NULL;
	int n = gnutls_x509_trust_list_init(&list, 0);

	if (n < 0)
		return -ENOMEM;
	n = gnutls_x509_trust_list_add_trust_file(list, file, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (n <= 0) {
		gnutls_x509_trust_list_deinit(list, 1);
		text_addf(error, "%s cannot be read, or holds no certificate (PEM)", file);
		return -EINVAL;
	}
	if (clients)
		gnutls_x509_trust_list_deinit(clients, 1);
	clients = list;
	return 0;
}

/* Fills the chain; returns how many certificates it has, 0 if it cannot be read. */
static unsigned read_chain(gnutls_session_t tls, gnutls_x509_crt_t *chain)
{
	unsigned len = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(tls, &len);

	if (!raw || len > CHAIN_MAX)
		return 0;
	for (unsigned i = 0; i < len; i++) {
		if (gnutls_x509_crt_init(&chain[i]) ||
		    gnutls_x509_crt_import(chain[i], &raw[i], GNUTLS_X509_FMT_DER))
			return 0;
	}
	return len;
}

/* In the handshake, with the client's certificate: returns 0 to go on. */
static int verify_client(gnutls_session_t tls)
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
	gnutls_x509_crt_t chain[CHAIN_MAX] = {NULL};
	unsigned len = read_chain(tls, chain);
	unsigned status = GNUTLS_CERT_INVALID;

	if (len == 0 ||
	    gnutls_x509_trust_list_verify_crt2(clients, chain, len, &purpose, 1, 0, &status, NULL))
		status = GNUTLS_CERT_INVALID;
	for (unsigned i = 0; i < CHAIN_MAX && chain[i]; i++)
		gnutls_x509_crt_deinit(chain[i]);
	return status == 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

gnutls_session_t tls_open(int fd)
{
	gnutls_session_t tls = NULL;

	if (gnutls_init(&tls,
			GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) ||
	    gnutls_priority_set(tls, priorities) ||
	    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials)) {
		tls_close(tls);
		return NULL;
	}
	gnutls_handshake_set_max_packet_length(tls, HANDSHAKE_BYTES_MAX);
	gnutls_transport_set_int(tls, fd);
	if (clients) {
		gnutls_certificate_server_set_request(tls, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_function(tls, verify_client);
	}
	return tls;
}

void tls_close(gnutls_session_t tls)
{
	if (tls)
		gnutls_deinit(tls);
}

int tls_handshake(gnutls_session_t tls)
{
	int err = GNUTLS_E_AGAIN;

	for (int i = 0; i < SKIPPED_MAX; i++) {
		err = gnutls_handshake(tls);
		if (err == 0)
			return 0;
		if (err == GNUTLS_E_AGAIN)
			return -EAGAIN;
		if (gnutls_error_is_fatal(err))
			break;
	}
	/* So that an honest client's log says why; it is lost if the socket is full. */
	(void)gnutls_alert_send_appropriate(tls, err);
	return -EPROTO;
}

ssize_t tls_read(gnutls_session_t tls, void *buf, size_t size)
{
	for (int i = 0; i < SKIPPED_MAX; i++) {
		ssize_t n = gnutls_record_recv(tls, buf, size);

		if (n >= 0)
			return n;
		if (n == GNUTLS_E_AGAIN)
			return -EAGAIN;
		if (n == GNUTLS_E_PREMATURE_TERMINATION)
			return 0;
		/* A new handshake on an old connection is not wanted. */
		if (n == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal((int)n))
			return -EPROTO;
	}
	return -EPROTO;
}

ssize_t tls_write(gnutls_session_t tls, const void *buf, size_t size)
{
	ssize_t n = gnutls_record_send(tls, buf, size);

	if (n >= 0)
		return n;
	return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? -EAGAIN : -EPROTO;
}

void tls_end(gnutls_session_t tls)
{
	(void)gnutls_bye(tls, GNUTLS_SHUT_WR); /* see the header */
}
