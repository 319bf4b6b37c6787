/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/serve.h"

#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/limits.h"
#include "base/log.h"
#include "webhook/budget.h"
#include "webhook/cert.h"
#include "webhook/routes.h"
#include "webhook/tls.h"

#define EXIT_USE 2
/* kubelet exchanges the files of a Secret about a minute after it changed. */
#define CERT_POLL_MS 2000
#define BUSY_POLL_MS 20
#define BUSY_MAX_MS  3000 /* for requests that have not arrived whole at the end */
/* Freed memory goes back to the kernel: what one share of the budget had, another may need. */
#define MMAP_FROM  (64 << 10)
#define TRIM_ABOVE (256 << 10)

struct server {
	const struct flags *flags;
	uv_loop_t loop;
	struct routes_state state;
	struct routes reviews;
	struct routes pages;
	struct http *tls;
	struct http *metrics; /* without TLS; NULL: not wanted */
	uv_fs_poll_t cert_poll;
	uv_fs_poll_t key_poll;
	uv_fs_poll_t client_poll; /* of the clients' authority, if there is one */
	uv_signal_t term;
	uv_signal_t interrupt;
	uv_timer_t timer; /* the end of draining */
	unsigned waited_ms; /* after it, for requests */
};

static void stop(struct server *s)
{
	s->state.tls = NULL;
	http_close(s->tls);
	http_close(s->metrics);
	s->tls = s->metrics = NULL;
	uv_close((uv_handle_t *)&s->cert_poll, NULL);
	uv_close((uv_handle_t *)&s->key_poll, NULL);
	uv_close((uv_handle_t *)&s->client_poll, NULL);
	uv_close((uv_handle_t *)&s->term, NULL);
	uv_close((uv_handle_t *)&s->interrupt, NULL);
	uv_close((uv_handle_t *)&s->timer, NULL);
}

static void on_busy(uv_timer_t *timer)
{
	struct server *s = timer->data;

	s->waited_ms += BUSY_POLL_MS;
	if (http_requests(s->tls) == 0 || s->waited_ms > BUSY_MAX_MS)
		stop(s);
}

static void on_drained(uv_timer_t *timer)
{
	struct server *s = timer->data;

	http_stop_listening(s->tls);
	(void)uv_timer_start(timer, on_busy, 0, BUSY_POLL_MS); /* has a callback */
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct server *s = signal->data;

	(void)number;
	if (s->state.is_draining) {
		stop(s);
		return;
	}
	log_info("going away in %.3g s", (double)s->flags->drain_ms / 1000);
	s->state.is_draining = true;
	http_drain(s->tls);
	if (s->metrics)
		http_drain(s->metrics);
	(void)uv_timer_start(&s->timer, on_drained, s->flags->drain_ms, 0); /* has a callback */
}

static int load_certificate(const struct server *s, struct text *ret_error)
{
	return cert_load(s->flags->tls_cert, s->flags->tls_key, ret_error);
}

static int load_client_ca(const struct server *s, struct text *ret_error)
{
	return tls_require_clients(s->flags->client_ca, ret_error);
}

/* A file that is watched has changed. status: negative when it is not there at the moment; another
 * call follows when it is there again. */
static void reload(struct server *s, int status, const char *what,
		   int (*load)(const struct server *s, struct text *ret_error))
{
	struct text error;

	if (status < 0)
		return;
	text_init(&error);
	if (load(s, &error)) {
		s->state.stats.reload_failures++;
		log_warn("%s stays the one it was: %s", what, error.ptr);
	} else {
		s->state.stats.reloads++;
		log_info("%s was renewed", what);
	}
	text_release(&error);
}

static void on_cert_changed(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
			    const uv_stat_t *now)
{
	(void)before;
	(void)now;
	reload(poll->data, status, "the certificate", load_certificate);
}

static void on_clients_changed(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
			       const uv_stat_t *now)
{
	(void)before;
	(void)now;
	reload(poll->data, status, "the CA of clients", load_client_ca);
}

static struct http *listen_on(struct server *s, const char *where, bool has_tls,
			      struct routes *routes)
{
	const struct http_options options = {
		.listen = where,
		.has_tls = has_tls,
		.body_max = has_tls ? REVIEW_BYTES_MAX : 0,
		.share = has_tls ? BUDGET_REQUESTS : BUDGET_PAGES,
		.refuse = routes_refuse,
		.answer = routes_answer,
		.ctx = routes,
	};
	const char *why = "";
	struct http *h = http_new(&s->loop, &options, &why);

	if (!h)
		log_error("cannot listen on %s: %s", where, why);
	return h;
}

static bool start(struct server *s)
{
	s->tls = listen_on(s, s->flags->listen, true, &s->reviews);
	if (!s->tls)
		return false;
	s->state.tls = s->tls;
	if (!s->flags->metrics_listen)
		return true;
	s->metrics = listen_on(s, s->flags->metrics_listen, false, &s->pages);
	return s->metrics != NULL;
}

static void watch(struct server *s)
{
	/* These fail only for memory, and then the program ends soon by itself. */
	(void)uv_fs_poll_init(&s->loop, &s->cert_poll);
	(void)uv_fs_poll_init(&s->loop, &s->key_poll);
	(void)uv_fs_poll_init(&s->loop, &s->client_poll);
	(void)uv_signal_init(&s->loop, &s->term);
	(void)uv_signal_init(&s->loop, &s->interrupt);
	(void)uv_timer_init(&s->loop, &s->timer);
	s->client_poll.data = s;
	s->cert_poll.data = s->key_poll.data = s->term.data = s->interrupt.data = s->timer.data = s;
	(void)uv_fs_poll_start(&s->cert_poll, on_cert_changed, s->flags->tls_cert, CERT_POLL_MS);
	(void)uv_fs_poll_start(&s->key_poll, on_cert_changed, s->flags->tls_key, CERT_POLL_MS);
	if (s->flags->client_ca)
		(void)uv_fs_poll_start(&s->client_poll, on_clients_changed, s->flags->client_ca,
				       CERT_POLL_MS);
	(void)uv_signal_start(&s->term, on_signal, SIGTERM);
	(void)uv_signal_start(&s->interrupt, on_signal, SIGINT);
}

/* Both files; says what is wrong with them. */
static bool load(const struct flags *f)
{
	struct text error;
	bool is_loaded = false;

	text_init(&error);
	if (cert_load(f->tls_cert, f->tls_key, &error))
		log_error("%s; \"sidelight-webhook certs\" makes a certificate", error.ptr);
	else if (f->client_ca && tls_require_clients(f->client_ca, &error))
		log_error("--client-ca: %s", error.ptr);
	else if (tls_start())
		log_error("no memory for TLS");
	else
		is_loaded = true;
	text_release(&error);
	return is_loaded;
}

static void set_limits(void)
{
	struct rlimit limit;

	/* Many wait, and few are served; without more, fewer wait. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_ABOVE);
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
	budget_install(BUDGET_JSON_BYTES);
}

/* The loop, certificates, listeners and a few connections; libuv's threads, which poll files. */
static bool has_limits(void)
{
	static const struct limits_need need = {.descriptors = 32, .threads = 4};
	struct text why;
	bool are_sufficient;

	text_init(&why);
	are_sufficient = limits_suffice(&need, &why);
	if (!are_sufficient)
		log_error("%s", why.ptr);
	text_release(&why);
	return are_sufficient;
}

int serve_command(const struct flags *f)
{
	static struct server s;
	int status = 0;

	if (!load(f))
		return EXIT_USE;
	set_limits();
	if (!has_limits())
		return EXIT_USE;
	s = (struct server){.flags = f, .state = {.defaults = &f->values}};
	s.reviews = (struct routes){&s.state, true};
	s.pages = (struct routes){&s.state, false};
	if (uv_loop_init(&s.loop)) {
		log_error("no event loop");
		return 1;
	}
	watch(&s);
	if (start(&s)) {
		log_info("serving reviews on port %u, metrics on port %u", http_port(s.tls),
			 s.metrics ? http_port(s.metrics) : 0u);
	} else {
		stop(&s);
		status = EXIT_USE;
	}
	(void)uv_run(&s.loop, UV_RUN_DEFAULT); /* until all handles are closed */
	(void)uv_loop_close(&s.loop); /* likewise */
	tls_stop();
	cert_release();
	return status;
}
