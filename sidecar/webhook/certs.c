/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "webhook/mint.h"

#define EXIT_USE 2

/* "name: BASE64", behind a prefix. */
static bool print_coded(const char *prefix, const char *name, const struct text *pem)
{
	gnutls_datum_t raw = {(unsigned char *)pem->ptr, (unsigned)pem->len};
	gnutls_datum_t coded = {NULL, 0};
	bool ok = gnutls_base64_encode2(&raw, &coded) == 0 &&
		  printf("%s%s: %s\n", prefix, name, (const char *)coded.data) > 0;

	if (coded.data)
		gnutls_memset(coded.data, 0, coded.size);
	gnutls_free(coded.data);
	return ok;
}

static int print_secret(const struct flags *f, const struct minted *m)
{
	bool ok = printf("apiVersion: v1\n"
			 "kind: Secret\n"
			 "type: kubernetes.io/tls\n"
			 "metadata:\n"
			 "  name: %s\n"
			 "  namespace: %s\n"
			 "data:\n",
			 f->secret, f->namespace) > 0 &&
		  print_coded("  ", "ca.crt", &m->authority) &&
		  print_coded("  ", "tls.crt", &m->cert) && print_coded("  ", "tls.key", &m->key) &&
		  printf("# for webhooks[].clientConfig of the MutatingWebhookConfiguration:\n") >
			  0 &&
		  print_coded("# ", "caBundle", &m->authority) && fflush(stdout) == 0;

	if (!ok)
		log_error("certs: cannot write the result");
	return ok ? 0 : 1;
}

static int write_file(const char *dir, const char *name, const struct text *pem, mode_t mode)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd < 0 ? -1
			    : openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	bool ok = fd >= 0 && fchmod(fd, mode) == 0 &&
		  write(fd, pem->ptr, pem->len) == (ssize_t)pem->len;
	int err = errno;

	if (fd >= 0 && close(fd) != 0 && ok) {
		ok = false;
		err = errno;
	}
	if (dir_fd >= 0)
		(void)close(dir_fd); /* nothing was written through it */
	if (ok)
		return 0;
	log_error("certs: %s/%s: %s", dir, name, strerror(err));
	return EXIT_USE;
}

/* A file of an earlier run; nothing where there is none, or where it is far too long. */
static void read_file(const char *dir, const char *name, struct text *out)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char buf[16384]; /* an authority of this kind takes 700 bytes */
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (n > 0 && (size_t)n < sizeof(buf))
		text_add_span(out, (struct span){buf, (size_t)n});
	gnutls_memset(buf, 0, sizeof(buf));
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	if (dir_fd >= 0)
		(void)close(dir_fd);
}

static int mint_again(const struct flags *f, struct minted *ret)
{
	const struct mint_names names = {f->service, f->namespace};
	struct text authority;
	struct text key;
	int err;

	text_init(&authority);
	text_init(&key);
	if (f->dir) {
		read_file(f->dir, "ca.crt", &authority);
		read_file(f->dir, "ca.key", &key);
	}
	err = mint(&names, (unsigned)f->days,
		   &(struct mint_previous){text_span(&authority), text_span(&key)}, ret);
	gnutls_memset(key.ptr, 0, key.len);
	text_release(&key);
	text_release(&authority);
	return err;
}

int certs_command(const struct flags *f)
{
	struct minted m;
	int status;
	int err = mint_again(f, &m);

	if (err) {
		log_error("certs: no certificate can be made (%s)", gnutls_strerror(err));
		return 1;
	}
	if (!f->dir) {
		status = print_secret(f, &m);
	} else {
		status = write_file(f->dir, "tls.key", &m.key, 0600);
		if (!status)
			status = write_file(f->dir, "tls.crt", &m.cert, 0644);
		if (!status)
			status = write_file(f->dir, "ca.crt", &m.authority, 0644);
		if (!status)
			status = write_file(f->dir, "ca.key", &m.authority_key, 0600);
	}
	minted_release(&m);
	return status;
}
