// SPDX-License-Identifier: Apache-2.0
// Node's http module: nodehttp.js HOST PORT LOG. An empty HOST listens on :: for both families.
'use strict';
const http = require('http');
const fs = require('fs');

const status = {
	'/empty': 204, '/made': 201, '/moved': 302, '/bad': 400, '/denied': 401,
	'/missing': 404, '/gateway': 502, '/late': 504,
};
const [host, port, log] = process.argv.slice(2);
const fd = fs.openSync(log, 'w');

function answer(req, res) {
	req.resume();
	res.on('finish', () => fs.writeSync(fd, `${req.method} ${req.url} HTTP/1.1 ${res.statusCode}\n`));
	req.on('end', () => {
		res.statusCode = status[req.url.split('?')[0]] || 200;
		res.end(res.statusCode === 204 ? undefined : 'hello\n');
	});
}

// Methods that its parser does not know never reach answer(): it says 400 and closes.
const server = http.createServer({ keepAliveTimeout: 60000 }, answer);
server.on('clientError', (err, socket) => {
	const line = err.rawPacket ? err.rawPacket.toString('latin1').split('\r\n')[0] : '- - -';
	socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
		() => fs.writeSync(fd, `${line} 400\n`));
});
server.listen(Number(port), host || '::', 1024);
