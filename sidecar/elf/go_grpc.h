/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of gRPC-Go (google.golang.org/grpc/internal/transport) that get or have the header
 * list of a block, by the symbols of the program or the table of its runtime.
 */
#ifndef SIDELIGHT_ELF_GO_GRPC_H
#define SIDELIGHT_ELF_GO_GRPC_H

#include <stdint.h>

enum go_grpc_function {
	GO_GRPC_SERVER_READS, /* (*http2Server).operateHeaders() */
	GO_GRPC_CLIENT_READS, /* (*http2Client).operateHeaders() */
	GO_GRPC_WRITES, /* (*loopyWriter).writeHeader() */
	GO_GRPC_FUNCTIONS,
};

/* By function the offset in the file of an instruction at which its arguments are where they were
 * when it was called (Go's abi-internal.md); 0: there is none. */
struct go_grpc_sites {
	uint64_t offset[GO_GRPC_FUNCTIONS];
};

/*
 * Reads an open file, whatever it is. Returns 0 if there is one that reads and the one that writes;
 * -ENOENT: it has no such functions; -EOPNOTSUPP: it has them, and they cannot be probed; or as
 * key_log_find() does.
 */
int go_grpc_find(int fd, struct go_grpc_sites *ret_sites);
/* The same for a machine of choice: EM_X86_64 or EM_AARCH64. */
int go_grpc_find_of(int fd, uint16_t machine, struct go_grpc_sites *ret_sites);

#endif
