/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decrypts one TLS connection, version 1.2 or 1.3. Input: the bytes of both directions in sequence
 * order, and the secrets of a key log. Output: the plaintext in order. No I/O, no clock.
 *
 * Phases of each direction, independent of the other direction:
 *
 *     PLAINTEXT - ServerHello of 1.3 ---> HANDSHAKE --- Finished ----> TRAFFIC <--.
 *       |               |                    |                        ^  |       | KeyUpdate,
 *       |               | no handshake       '-- a record is missing -.  '-------' ChangeCipherSpec
 *       |               | secret is known                             v            (renegotiation)
 *       |               '----------------> TRIAL -- a record decrypts -'
 *       |  client that sends early data:
 *       |               '------------------> EARLY -- EndOfEarlyData --> HANDSHAKE
 *       '------------ ChangeCipherSpec of 1.2 ----------------------> TRAFFIC
 *
 * In TRIAL, the records of the handshake can't be decrypted, and each record is tried with the
 * first key of application data.
 *
 * If anything can't be decrypted, the connection fails: nothing goes out any more, the keys are
 * wiped, and the reason is counted. Plaintext is never a guess: the tag of the first record under
 * each key, and of the first record behind a gap, is verified.
 *
 * Missing bytes inside an application record, or between records whose numbers and lengths can be
 * recovered, go out as lost or skipped, so positions in the plaintext stay exact.
 */
#ifndef SIDELIGHT_TLS_STREAM_H
#define SIDELIGHT_TLS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/bytes.h"
#include "tls/gap.h"
#include "tls/handshake.h"
#include "tls/record_queue.h"
#include "tls/hello.h"
#include "tls/record.h"
#include "tls/secrets.h"
#include "tls/waiting.h"

enum tls_fail {
	TLS_FAIL_NONE,
	TLS_FAIL_NO_SECRET, /* the key log has no secret for this connection */
	TLS_FAIL_JOINED, /* the beginning of the handshake was not seen */
	TLS_FAIL_VERSION, /* older than TLS 1.2 */
	TLS_FAIL_CIPHER, /* a cipher suite that suite.h does not list */
	TLS_FAIL_GAP, /* bytes are missing, and the record number can't be recovered */
	TLS_FAIL_SECRET, /* the secrets decrypt no record: they belong to another connection */
	TLS_FAIL_PROTOCOL, /* not TLS, or a violation of its RFCs */
	TLS_FAIL_NOT_HTTP, /* ALPN negotiated another protocol */
	TLS_FAIL_HELD, /* the record queue overflowed while secrets were missing */
	TLS_FAIL_MEMORY,
	TLS_FAIL_MAX,
};

/* A static string, like "no_secret". */
const char *tls_fail_name(enum tls_fail why);

/* Versions whose handshakes are counted. */
enum { TLS_HANDSHAKE_1_2, TLS_HANDSHAKE_1_3, TLS_HANDSHAKE_VERSIONS };

struct tls_stats {
	uint64_t connections;
	/* Complete ones, by the direction from the client and by version. */
	uint64_t handshakes[2][TLS_HANDSHAKE_VERSIONS];
	/*
	 * notAfter of the observed server's certificate in the newest full handshake of TLS 1.2, in
	 * seconds since 1970; 0: there was none. In TLS 1.3 it is encrypted.
	 */
	int64_t certificate_expiry;
	uint64_t failed[TLS_FAIL_MAX];
	uint64_t records; /* decrypted records of application data */
	uint64_t early_rejected; /* records of early data that the server rejected */
	uint64_t gaps_closed; /* gaps behind which the record number was recovered */
};

/* The state that all connections share. */
struct tls_env {
	struct tls_secrets *secrets;
	bool has_all_secrets; /* no more secrets will come */
	/* Adds secrets that exist by now, before a connection begins to wait. Returns whether there
	 * were any. May be NULL. */
	bool (*fetch)(void *ctx);
	void *fetch_ctx;
	struct tls_waiting waiting; /* connections that wait for secrets */
	uint64_t trials; /* of secrets, to find those of a connection without a name */
	struct tls_stats stats;
	uint8_t plaintext[TLS_BODY_MAX];
};

enum tls_phase {
	TLS_PHASE_PLAINTEXT,
	TLS_PHASE_EARLY,
	TLS_PHASE_HANDSHAKE,
	TLS_PHASE_TRIAL,
	TLS_PHASE_TRAFFIC,
};

struct tls_direction {
	struct tls_reader reader;
	struct tls_gap gap;
	struct tls_handshake handshake;
	uint64_t number; /* record number of the next record */
	struct tls_shown shown; /* by the record before it */
	enum tls_phase phase;
	bool is_verified; /* a record was verified since the key or the number changed */
	/* A record had padding, so lengths of records don't determine lengths of plaintext. */
	bool has_padding;
	bool has_data; /* application data went out */
	bool has_ended; /* close_notify or the end of the stream went out */
	uint16_t undecrypted; /* records in TRIAL, or consecutive records of rejected early data */
	struct tls_cipher cipher;
	uint8_t secret[TLS_HASH_MAX]; /* traffic secret of TLS 1.3 */
};

struct tls_stream {
	struct tls_env *env; /* borrowed */
	struct memory_account *memory; /* borrowed; may be NULL */
	struct tls_direction direction[2]; /* by enum dir */
	struct tls_record_queue queue;
	bool awaits_early; /* the client offered early data, and the server has not answered */
	bool rejects_early; /* the server rejected the early data */
	bool has_hello; /* client and client_random are valid */
	bool is_established; /* the first handshake is complete, and was counted */
	bool has_ech;
	bool encrypt_then_mac;
	enum dir client; /* the direction from the client */
	uint16_t version; /* 0: no ServerHello yet */
	enum tls_alpn alpn;
	enum tls_fail failure;
	const struct tls_suite *suite;
	struct tls_session_secrets *secrets; /* held; NULL: not found yet, or not needed any more */
	uint64_t tried; /* sessions up to this turn need not be tried (again) */
	struct tls_wait wait; /* while secrets are missing, and all records are queued */
	void *owner; /* of the stream, for whoever finds it among those that wait */
	/* By enum dir: what was left of a body when the source was told; see decrypted.h. */
	uint64_t told_left[2];
	uint8_t client_random[TLS_RANDOM_BYTES];
	uint8_t server_random[TLS_RANDOM_BYTES];
	/* Arguments of the current call. */
	const struct bytes_sink *sink;
	void *ctx;
	const struct segment_view *view;
};

/* True if the first bytes of a direction, at least one, can be a TLS record. */
bool tls_begins(struct span data);

/* Returns NULL if there is no memory. */
struct tls_stream *tls_stream_new(struct tls_env *env, struct memory_account *memory);
/* Wipes all secrets; accepts NULL. */
void tls_stream_free(struct tls_stream *t);

/* As in struct bytes_sink. Calls the sink zero or more times, with views of the current segment. */
void tls_stream_data(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		     uint64_t time_ns, const struct bytes_sink *sink, void *ctx);
/* len bytes were skipped (they passed, but were not copied), or are lost. */
void tls_stream_missing(struct tls_stream *t, enum dir dir, const struct segment_view *view,
			uint32_t len, bool is_lost, uint64_t time_ns, const struct bytes_sink *sink,
			void *ctx);
void tls_stream_fin(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		    uint64_t time_ns, const struct bytes_sink *sink, void *ctx);
/*
 * True if bytes of this direction may be skipped, as long as all of them belong to records of
 * application data: the number of the first record behind them will be found.
 */
bool tls_stream_may_skip(const struct tls_stream *t, enum dir dir);
/* While it is true: the bytes that a record has besides its content, at least. */
size_t tls_stream_record_extra(const struct tls_stream *t, enum dir dir);
/* Secrets were added to the table: queued records may go out. */
void tls_stream_secrets(struct tls_stream *t, const struct bytes_sink *sink, void *ctx);
/* Neither secrets nor bytes will come any more. */
void tls_stream_end(struct tls_stream *t);

/* For the other files of this folder. */
void tls_stream_fail(struct tls_stream *t, enum tls_fail why);
/* The view of the current segment for direction dir. */
struct segment_view tls_stream_view(const struct tls_stream *t, enum dir dir);
/* The record was decrypted, whole or in part: the next one has the next number. */
void tls_stream_count_record(struct tls_stream *t, enum dir dir, const struct tls_record *r);
void tls_stream_put_fin(struct tls_stream *t, enum dir dir, uint64_t time_ns);
/* Processes one record, in order. Returns false if it has to be queued. */
bool tls_stream_record(struct tls_stream *t, enum dir dir, const struct tls_record *r);

#endif
