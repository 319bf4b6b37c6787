/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of libbpf in our log, at the levels debug and trace: our own error is one line. */
#ifndef SIDELIGHT_CAPTURE_LIBBPF_LOG_H
#define SIDELIGHT_CAPTURE_LIBBPF_LOG_H

/* To be called before libbpf loads something; again does no harm. */
void libbpf_log_start(void);

#endif
