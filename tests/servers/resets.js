// SPDX-License-Identifier: Apache-2.0

// Node's own http2: answers that gRPC libraries do not give when asked.
//
//     resets.js server HOST PORT LOG
//     resets.js client HOST PORT TIMES NAME...    calls /e2e.Reset/NAME, TIMES each, on one connection
//
// NAME says how a call ends, N being a number:
//     RN  reset with code N            HN  likewise, after the response's head and a message
//     TN  HTTP status N, no gRPC       GN  grpc-status N, trailers only
//     N   no grpc-status at all        CN  the client resets with code N; the server answers nothing
//
// The client prints NAME and the code of the reset, for each.
"use strict";
const http2 = require("http2");
const [mode, host, port, ...rest] = process.argv.slice(2);
const GRPC = { ":status": 200, "content-type": "application/grpc" };
const MESSAGE = Buffer.from([0, 0, 0, 0, 2, 104, 105]);

function answer(stream, headers) {
	const [, kind, number] = /\/([A-Z])(\d*)$/.exec(headers[":path"]);
	stream.on("error", () => {});
	if (kind === "R") {
		stream.close(Number(number));
	} else if (kind === "H") {
		// Trailers that never come keep it from ending the stream first.
		stream.respond(GRPC, { waitForTrailers: true });
		stream.write(MESSAGE, () => stream.close(Number(number)));
	} else if (kind === "T") {
		stream.respond({ ":status": Number(number), "content-type": "text/plain" });
		stream.end("no gRPC here");
	} else if (kind === "G") {
		stream.respond({ ...GRPC, "grpc-status": number }, { endStream: true });
	} else if (kind === "N") {
		stream.respond(GRPC);
		stream.end(MESSAGE);
	}
}

function ask(session, name, done) {
	const stream = session.request(
		{ ":method": "POST", ":path": `/e2e.Reset/${name}`, "content-type": "application/grpc", te: "trailers" },
		{ endStream: false });
	stream.on("error", () => {});
	stream.on("close", () => {
		console.log(name, stream.rstCode);
		done();
	});
	stream.resume();
	stream.write(MESSAGE, () => {
		if (name[0] === "C") stream.close(Number(name.slice(1)));
	});
	if (name[0] !== "C") stream.end();
}

if (mode === "server") {
	const server = http2.createServer();
	server.on("stream", answer);
	server.on("sessionError", () => {});
	server.listen(Number(port), host);
} else {
	const session = http2.connect(`http://${host}:${port}`);
	const names = rest.slice(1).flatMap((name) => Array(Number(rest[0])).fill(name));
	let open = names.length;
	for (const name of names)
		ask(session, name, () => {
			if (--open === 0) session.close();
		});
}
