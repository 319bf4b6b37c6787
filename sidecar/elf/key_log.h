/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a program or library hands each TLS secret to its key-log function. It calls that function
 * in every handshake, whether somebody has asked for a key log or not.
 *
 *   OpenSSL 1.1.1 and newer, BoringSSL   ssl_log_secret(session, label, secret, length)
 *   OpenSSL                              nss_keylog_int(label, session, random, 32, secret, length)
 *   GnuTLS 3.7 and newer                 _gnutls_call_keylog_func(session, label, secret, length)
 *   Go 1.17 and newer                    crypto/tls.(*Config).writeKeyLog(label, random, secret)
 *
 * The function is found by its symbol, of Go also by the table of its runtime. Without symbols,
 * which distributions strip, it is found by the labels: the code that passes several of these
 * strings to one function calls that.
 */
#ifndef SIDELIGHT_ELF_KEY_LOG_H
#define SIDELIGHT_ELF_KEY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/probe_point.h"

/* An instruction of one file, and where the arguments are when it is reached. */
struct key_log_site {
	uint64_t offset; /* in the file */
	struct key_log_registers registers;
	bool is_go; /* the label has no zero at its end */
};

/*
 * Reads an open file, whatever it is. Returns 0; -ENOENT: it has no such function; -ENOTSUP: code
 * of another machine; -ENOEXEC: it is no ELF file, or malformed; -EOPNOTSUPP: it has the function,
 * and no instruction of it can be probed; or another negative errno.
 */
int key_log_find(int fd, struct key_log_site *ret_site);
/* The same for a machine of choice: EM_X86_64 or EM_AARCH64. */
int key_log_find_of(int fd, uint16_t machine, struct key_log_site *ret_site);

#endif
