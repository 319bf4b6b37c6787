/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's transfers in a libuv loop: no thread of ours, no timer and no
 * descriptor watched while no transfer runs. One transfer runs at a time.
 */
#ifndef SIDELIGHT_EXPORT_CLIENT_H
#define SIDELIGHT_EXPORT_CLIENT_H

#include <curl/curl.h>
#include <uv.h>

struct client;

/*
 * A transfer that receives more than this ends with CURLE_FILESIZE_EXCEEDED: as the kernel counts
 * it, so with all that libcurl reads and hands to nobody (handshakes, chunk extensions). It has
 * room for the certificates of a handshake.
 */
#define CLIENT_RECEIVED_MAX 262144u

/* The transfer has ended; easy is out of the client's hands. */
typedef void (*client_fn)(void *ctx, CURL *easy, CURLcode code);

/* NULL: no memory. fn is called for every transfer that ends by itself. */
struct client *client_new(uv_loop_t *loop, client_fn fn, void *ctx);
/* No transfer may run. Memory goes when the loop has run. Accepts NULL. */
void client_close(struct client *c);

/* Returns 0 or -ENOMEM. fn is not called before this has returned. */
int client_start(struct client *c, CURL *easy);
/* Ends a transfer that runs; fn is not called. */
void client_cancel(struct client *c, CURL *easy);

#endif
