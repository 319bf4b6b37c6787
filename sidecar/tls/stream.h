/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection: the ordered bytes of both directions and the secrets of a key log in, ordered
 * plaintext out. TLS 1.2 and 1.3; no I/O, no clock.
 *
 * A direction goes through these phases; the other may be in another:
 *
 *     PLAIN ---- ServerHello of 1.3 ---> HANDSHAKE --- Finished ----> TRAFFIC <--.
 *       |               |                    |                        ^  |       | KeyUpdate,
 *       |               | no handshake       '-- a record is missing -.  '-------' ChangeCipherSpec
 *       |               | secret is known                             v            (renegotiation)
 *       |               '------------------> TRIAL -- a record opens -'
 *       |  client that sends early data:
 *       |               '------------------> EARLY -- EndOfEarlyData --> HANDSHAKE
 *       '------------ ChangeCipherSpec of 1.2 ----------------------> TRAFFIC
 *
 * In TRIAL, the records of the handshake stay closed, and each is tried with the first key of
 * application data.
 *
 * What cannot be decrypted makes the connection dark: then nothing goes out any more, the keys are
 * wiped, and the reason is counted. What goes out is never a guess: the first record under each
 * key, and the first behind a gap, is verified by its tag.
 *
 * Bytes that are missing inside an application record, or between records whose numbers and lengths
 * are known all the same, go out as lost or skipped; positions of the plaintext stay exact.
 */
#ifndef SIDELIGHT_TLS_STREAM_H
#define SIDELIGHT_TLS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/bytes.h"
#include "tls/gap.h"
#include "tls/handshake.h"
#include "tls/held.h"
#include "tls/hello.h"
#include "tls/record.h"
#include "tls/secrets.h"

enum tls_dark {
	TLS_LIT,
	TLS_DARK_NO_SECRET, /* the key log has none for this connection */
	TLS_DARK_JOINED, /* the handshake was not seen from its beginning */
	TLS_DARK_VERSION, /* older than 1.2 */
	TLS_DARK_CIPHER, /* a cipher suite that suite.h does not list */
	TLS_DARK_GAP, /* bytes are missing, and what follows cannot be placed */
	TLS_DARK_SECRET, /* the secrets open no record: they belong to another connection */
	TLS_DARK_PROTOCOL, /* not TLS, or not as its RFCs have it */
	TLS_DARK_NOT_HTTP, /* by ALPN */
	TLS_DARK_HELD, /* more came than is held until secrets come */
	TLS_DARK_MEMORY,
	TLS_DARK_MAX,
};

/* "no_secret", ...; static. */
const char *tls_dark_name(enum tls_dark why);

struct tls_stats {
	uint64_t connections;
	uint64_t dark[TLS_DARK_MAX];
	uint64_t records; /* of application data, decrypted */
	uint64_t early_rejected; /* records of early data that the server did not take */
	uint64_t gaps_closed; /* the record number was found again */
};

/* What all connections share. */
struct tls_env {
	const struct tls_secrets *secrets;
	bool has_all_secrets; /* none will come any more */
	struct tls_stats stats;
	uint8_t plain[TLS_BODY_MAX];
};

enum tls_phase {
	TLS_PHASE_PLAIN,
	TLS_PHASE_EARLY,
	TLS_PHASE_HANDSHAKE,
	TLS_PHASE_TRIAL,
	TLS_PHASE_TRAFFIC,
};

struct tls_direction {
	struct tls_reader reader;
	struct tls_gap gap;
	struct tls_handshake handshake;
	uint64_t number; /* of the next record */
	enum tls_phase phase;
	bool is_verified; /* a record was, since the key or the number changed */
	bool has_padding; /* some record had: lengths tell less than they could */
	bool has_data; /* of the application, that went out */
	bool has_ended; /* close_notify, or the end of the stream, went out */
	uint16_t unopened; /* records in TRIAL, and in a row of rejected early data */
	struct tls_cipher cipher;
	uint8_t secret[TLS_HASH_MAX]; /* of TRAFFIC in TLS 1.3 */
};

struct tls_stream {
	struct tls_env *env; /* borrowed */
	struct memory_account *memory; /* borrowed; may be NULL */
	struct tls_direction direction[2]; /* by enum dir */
	struct tls_held_list held;
	bool is_waiting; /* for secrets: all records are held */
	bool awaits_early; /* the server's answer to the offer of early data */
	bool rejects_early; /* it was no */
	bool has_hello; /* client and client_random are valid */
	bool has_ech;
	bool encrypt_then_mac;
	enum dir client; /* the direction from the client */
	uint16_t version; /* 0: no ServerHello yet */
	enum tls_alpn alpn;
	enum tls_dark dark;
	const struct tls_suite *suite;
	const struct tls_session_secrets *secrets; /* NULL: not found yet */
	uint8_t client_random[TLS_RANDOM_BYTES];
	uint8_t server_random[TLS_RANDOM_BYTES];
	/* of the call at hand */
	const struct bytes_sink *sink;
	void *ctx;
	const struct segment_view *view;
};

/* Do these first bytes of a direction, at least one, belong to TLS? */
bool tls_begins(struct span data);

/* NULL: no memory. */
struct tls_stream *tls_stream_new(struct tls_env *env, struct memory_account *memory);
/* Wipes what it held; accepts NULL. */
void tls_stream_free(struct tls_stream *t);

/*
 * As struct bytes_sink has them; the sink is called zero or more times before return, with views
 * of the segment at hand.
 */
void tls_stream_data(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		     uint64_t time_ns, const struct bytes_sink *sink, void *ctx);
/* Bytes that passed and were not copied (is_lost false), or that nobody saw. */
void tls_stream_miss(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		     uint32_t len, bool is_lost, uint64_t time_ns, const struct bytes_sink *sink,
		     void *ctx);
void tls_stream_fin(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		    uint64_t time_ns, const struct bytes_sink *sink, void *ctx);
/* Secrets were added to the table: what was held for want of them may go out now. */
void tls_stream_secrets(struct tls_stream *t, const struct bytes_sink *sink, void *ctx);
/* No more secrets will come, and no more bytes. */
void tls_stream_end(struct tls_stream *t);

/* For the parts of the stage. */
void tls_stream_set_dark(struct tls_stream *t, enum tls_dark why);
/* The segment at hand, as a view of dir. */
struct segment_view tls_stream_view(const struct tls_stream *t, enum dir dir);
void tls_stream_put_fin(struct tls_stream *t, enum dir dir, uint64_t time_ns);
/* One record, in order. False: it has to be held. */
bool tls_stream_record(struct tls_stream *t, enum dir dir, const struct tls_record *r);

#endif
