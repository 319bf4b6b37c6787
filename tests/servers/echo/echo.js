// SPDX-License-Identifier: Apache-2.0

// The echo service of README.md with @grpc/grpc-js: no protoc, messages are buffers.
// Its packages are found by NODE_PATH.
"use strict";
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const readline = require("readline");

const options = {
	"grpc.max_receive_message_length": 8 << 20,
	"grpc.max_metadata_size": 1 << 20,
	"grpc.use_local_subchannel_pool": 1,
};
const own = (message) => message;
const tls = process.env.ECHO_TLS;
// An address is no name that Node sends to a server.
if (tls) options["grpc.ssl_target_name_override"] = "localhost";
const read = (name) => fs.readFileSync(`${tls}/${name}`);
const blob = (size) => "b~".repeat(size / 2);

// --- server

function serve(address, path) {
	const log = fs.openSync(path, "w");
	const wanted = (call, name) => Number(call.metadata.get(name)[0] || 0);

	// done(error, trailer): after the sleep that was asked for.
	const finish = (name, call, done) => {
		const trailer = new grpc.Metadata();
		const end = () => {
			const code = call.cancelled ? grpc.status.CANCELLED : wanted(call, "want-code");
			const size = wanted(call, "want-metadata");
			if (size) trailer.set("x-blob", blob(size));
			fs.writeSync(log, `${name} ${code}\n`);
			done(code ? { code, details: "as asked", metadata: trailer } : null, trailer);
		};
		const ms = wanted(call, "want-sleep-ms");
		if (!ms) return end();
		const start = process.hrtime.bigint();
		setTimeout(() => {
			trailer.set("slept-ns", String(process.hrtime.bigint() - start));
			end();
		}, ms);
	};
	const endStream = (call) => (error, trailer) => {
		if (error) call.emit("error", error);
		else call.end(trailer);
	};

	const definition = {};
	const handlers = {};
	const add = (name, handler) => {
		definition[name] = {
			path: `/e2e.Echo/${name}`,
			requestStream: name === "Collect" || name === "Chat",
			responseStream: name === "Expand" || name === "Chat",
			requestSerialize: own,
			requestDeserialize: own,
			responseSerialize: own,
			responseDeserialize: own,
		};
		handlers[name] = handler;
	};
	const unary = (name) =>
		add(name, (call, reply) =>
			finish(name, call, (error, trailer) => reply(error, call.request, trailer)));

	unary("Unary");
	for (let i = 0; i < 100; i++) unary("S" + String(i).padStart(3, "0"));
	add("Collect", (call, reply) => {
		call.on("data", () => {});
		call.on("end", () =>
			finish("Collect", call, (error, trailer) => reply(error, Buffer.alloc(0), trailer)));
	});
	add("Expand", (call) => {
		const message = Buffer.alloc(wanted(call, "want-bytes"));
		for (let i = wanted(call, "want-messages"); i > 0; i--) call.write(message);
		finish("Expand", call, endStream(call));
	});
	add("Chat", (call) => {
		call.on("data", (message) => call.write(message));
		call.on("end", () => finish("Chat", call, endStream(call)));
	});

	const server = new grpc.Server(options);
	server.addService(definition, handlers);
	const credentials = tls
		? grpc.ServerCredentials.createSsl(null, [
			{ private_key: read("key.pem"), cert_chain: read("cert.pem") },
		])
		: grpc.ServerCredentials.createInsecure();
	server.bindAsync(address, credentials, (error) => {
		if (error) throw error;
	});
}

// --- client

// Calls done(code, sent, received, trailer) once, when the call has ended.
function run(client, c, done) {
	const metadata = new grpc.Metadata();
	metadata.set("want-code", c.code);
	metadata.set("want-sleep-ms", c.sleep);
	metadata.set("want-messages", c.messages);
	metadata.set("want-bytes", c.bytes);
	if (Number(c.extra)) {
		metadata.set("want-metadata", c.extra);
		metadata.set("x-blob", blob(Number(c.extra)));
	}
	const ms = Number(c.deadline);
	const how = ms ? { deadline: Date.now() + ms } : {};
	const path = `/e2e.Echo/${c.method}`;
	const message = Buffer.alloc(Number(c.bytes));
	let sent = 0;
	let received = 0;
	let call;
	const reply = (error) => {
		if (!error) received++;
	};
	if (c.method === "Collect")
		call = client.makeClientStreamRequest(path, own, own, metadata, how, reply);
	else if (c.method === "Expand")
		call = client.makeServerStreamRequest(path, own, own, message, metadata, how);
	else if (c.method === "Chat")
		call = client.makeBidiStreamRequest(path, own, own, metadata, how);
	else call = client.makeUnaryRequest(path, own, own, message, metadata, how, reply);

	// The status comes before the reply of a call that has one: look after both.
	call.on("status", (status) =>
		setImmediate(() => done(status.code, sent, received, status.metadata)));
	call.on("error", () => {});
	if (Number(c.cancel)) setTimeout(() => call.cancel(), Number(c.cancel));
	if (c.method === "Collect") {
		for (; sent < Number(c.messages); sent++) call.write(message);
		call.end();
	} else if (c.method === "Chat") {
		const next = () => {
			if (sent < Number(c.messages)) {
				sent++;
				call.write(message);
			} else {
				call.end();
			}
		};
		call.on("data", () => {
			received++;
			next();
		});
		next();
	} else {
		sent = 1;
		call.on("data", () => received++);
	}
}

async function ask(address, connections, workers) {
	const clients = [];
	const credentials = tls
		? grpc.credentials.createSsl(read("cert.pem"))
		: grpc.credentials.createInsecure();
	for (let i = 0; i < connections; i++)
		clients.push(new grpc.Client(address, credentials, options));
	const ready = (client) =>
		new Promise((resolve, reject) =>
			client.waitForReady(Date.now() + 20000, (error) => (error ? reject(error) : resolve())));
	await Promise.all(clients.map(ready));
	fs.writeSync(1, "ready\n");

	const waiting = [];
	const free = Array.from({ length: workers }, (_, i) => clients[i % connections]);
	let number = 0;
	let atEnd = false;
	const names = ["method", "code", "sleep", "messages", "bytes", "deadline", "cancel", "extra"];

	const next = () => {
		while (waiting.length && free.length) {
			const c = waiting.shift();
			const client = free.shift();
			const wall = BigInt(Date.now()) * 1000000n;
			const start = process.hrtime.bigint();
			run(client, c, (code, sent, received, trailer) => {
				const words = [c.number, c.method, code, sent, received, wall,
					process.hrtime.bigint() - start, trailer.get("slept-ns")[0] || 0];
				fs.writeSync(1, words.join(" ") + "\n");
				free.push(client);
				next();
			});
		}
		if (atEnd && !waiting.length && free.length === workers)
			for (const client of clients) client.close();
	};
	const lines = readline.createInterface({ input: process.stdin });
	lines.on("line", (line) => {
		const words = line.split(" ");
		const c = { number: number++ };
		names.forEach((name, i) => (c[name] = words[i]));
		waiting.push(c);
		next();
	});
	lines.on("close", () => {
		atEnd = true;
		next();
	});
}

const [mode, host, port, ...rest] = process.argv.slice(2);
if (mode === "server") serve(`${host}:${port}`, rest[0]);
else ask(`${host}:${port}`, Number(rest[0]), Number(rest[1]));
