#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Records the TLS captures of captures/ again: tcpdump beside real clients and servers, with the
secrets that the client wrote.

    record_tls.py [NAME ...]

Each function below is one capture, captures/tls_NAME.pcap and .keys; what is in it, cases_tls.py
says. Runs in a network namespace of its own. Needs root, nginx, curl, openssl and tcpdump.
"""
import contextlib
import ctypes
import inspect
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

CAPTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "captures")
CLONE_NEWNET = 0x40000000
DEADLINE_S = 20
NO_ENCRYPT_THEN_MAC = 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC
PORT, OTHER_PORT = 443, 444
GET = b"GET /%s HTTP/1.1\r\nHost: example.com\r\n\r\n"

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {}
http {
    ssl_protocols TLSv1.2 TLSv1.3; access_log off; keepalive_requests 1000; client_body_in_single_buffer on;
    ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_session_ticket_key ticket.key;
    ssl_session_cache shared:cache:1m; ssl_buffer_size 4k;
    server { listen 443 ssl HTTP2; EXTRA
        location / { return 200 hello; }
        location /missing { return 404 no; }
        location /big { root www; }
    }
    server { listen 444 ssl; ssl_early_data off; location / { return 200 hello; } }
}
"""


def wait_for(what, event):
    end = time.monotonic() + DEADLINE_S
    while not event():
        if time.monotonic() > end:
            raise AssertionError("no %s within %d s" % (what, DEADLINE_S))
        time.sleep(0.01)  # between two looks


class Recording:
    """A directory with a certificate; processes that end with it; packets and secrets."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.dir = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.keys = self.path("keys")
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
                 "/CN=example.com", "-keyout", "key.pem", "-out", "cert.pem")
        with open(self.path("ticket.key"), "wb") as file:
            file.write(os.urandom(80))
        os.mkdir(self.path("www"))
        with open(self.path("www", "big"), "wb") as file:
            file.write(bytes(range(200)) * 60)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run(self, *args, **kw):
        return subprocess.run(args, cwd=self.dir, check=True, timeout=DEADLINE_S,
                              capture_output=True, **kw)

    def start(self, *args, output="output", **kw):
        with open(self.path(output), "wb") as out:
            process = subprocess.Popen(args, cwd=self.dir, stdout=out, stderr=out, **kw)

        def stop():
            process.kill()
            process.wait()
        self.stack.callback(stop)
        return process

    def listening(self, port=PORT):
        def event():
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0
        wait_for("listener", event)

    def nginx(self, extra="", http2=""):
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(NGINX.replace("EXTRA", extra).replace("HTTP2", http2))
        self.start("nginx", "-p", self.dir, "-c", "nginx.conf", "-e", "error.log")
        self.listening()

    def s_server(self, *options, **kw):
        process = self.start("openssl", "s_server", "-accept", str(PORT), "-cert", "cert.pem",
                             "-key", "key.pem", *options, output="s_server", **kw)
        wait_for("s_server", lambda: b"ACCEPT" in self.read("s_server"))
        return process

    def s_client(self, *options, output="s_client"):
        return self.start("openssl", "s_client", "-connect", "127.0.0.1:%d" % PORT,
                          "-keylogfile", self.keys, *options, output=output,
                          stdin=subprocess.PIPE)

    def curl(self, *args):
        self.run("curl", "-sS", "-k", "--resolve", "example.com:443:127.0.0.1", *args,
                 env={**os.environ, "SSLKEYLOGFILE": self.keys})

    def tcpdump(self):
        self.dump = self.start("tcpdump", "-i", "lo", "-w", "pcap", "-U", "-Z", "root",
                               "--immediate-mode", "tcp port 443 or tcp port 444 or udp port 9",
                               output="tcpdump")
        wait_for("tcpdump", lambda: b"listening on" in self.read("tcpdump"))

    def end(self, name):
        """The file without the packet that tells that all others are there."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"the end of it all", ("127.0.0.1", 9))
        wait_for("the last packet", lambda: b"the end of it all" in self.read("pcap"))
        self.dump.send_signal(signal.SIGINT)
        self.dump.wait(DEADLINE_S)
        data = self.read("pcap")
        out, at = data[:24], 24
        while at < len(data):
            size = 16 + struct.unpack("<I", data[at + 8:at + 12])[0]
            if data[at + 16 + 23] == socket.IPPROTO_TCP:
                out += data[at:at + size]
            at += size
        with open(os.path.join(CAPTURES, name + ".pcap"), "wb") as file:
            file.write(out)
        shutil.copyfile(self.keys, os.path.join(CAPTURES, name + ".keys"))
        self.stack.close()


def context(recording, version=None, options=0):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    ctx.keylog_filename = recording.keys
    ctx.options |= options
    if version:
        ctx.maximum_version = version
    return ctx


def ask(ctx, *names, session=None, port=PORT):
    """Requests on one connection; returns its session."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        with ctx.wrap_socket(sock, session=session) as tls:
            for name in names:
                tls.sendall(GET % name)
                answer = b""
                while not answer.endswith(b"hello"):
                    answer += tls.recv(65536)
            return tls.session


# --- the captures ------------------------------------------------------------------


def curls(recording):
    """Two connections: one with three requests, one with an upload and a large response."""
    url = "https://example.com/"
    recording.curl(url + "a", url + "missing", url + "b")
    recording.curl("-d", "x" * 5000, url + "c", "--next", "-sS", "-k", url + "big")


def suite_13(name):
    def record(recording):
        recording.nginx("ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites %s;" % name)
        recording.tcpdump()
        curls(recording)
    return record


def suite_12(name, level=""):
    def record(recording):
        recording.nginx("ssl_protocols TLSv1.2; ssl_ciphers %s%s;" % (name, level))
        recording.tcpdump()
        if level:
            ctx = context(recording)
            ctx.set_ciphers("ALL" + level)
            ask(ctx, b"a", b"b")
        else:
            curls(recording)
    return record


tls_13_aes128 = suite_13("TLS_AES_128_GCM_SHA256")
tls_13_aes256 = suite_13("TLS_AES_256_GCM_SHA384")
tls_13_chacha20 = suite_13("TLS_CHACHA20_POLY1305_SHA256")
tls_12_aes128 = suite_12("ECDHE-ECDSA-AES128-GCM-SHA256")
tls_12_aes256 = suite_12("ECDHE-ECDSA-AES256-GCM-SHA384")
tls_12_chacha20 = suite_12("ECDHE-ECDSA-CHACHA20-POLY1305")
tls_12_ccm = suite_12("ECDHE-ECDSA-AES128-CCM", ":@SECLEVEL=0")
tls_12_ccm8 = suite_12("ECDHE-ECDSA-AES256-CCM8", ":@SECLEVEL=0")
tls_12_cbc = suite_12("ECDHE-ECDSA-AES128-SHA256")
tls_12_cbc_sha384 = suite_12("ECDHE-ECDSA-AES256-SHA384")


def ccm_13(name):
    def record(recording):
        recording.s_server("-WWW", "-ciphersuites", name, "-cipher", "ALL:@SECLEVEL=0")
        recording.tcpdump()
        for path in ("cert.pem", "nowhere"):
            client = recording.s_client("-quiet", "-ciphersuites", name, "-cipher",
                                        "ALL:@SECLEVEL=0")
            client.communicate(b"GET /%s HTTP/1.0\r\n\r\n" % path.encode(), DEADLINE_S)
    return record


tls_13_ccm = ccm_13("TLS_AES_128_CCM_SHA256")
tls_13_ccm8 = ccm_13("TLS_AES_128_CCM_8_SHA256")


def tls_12_cbc_sha1(recording):
    """The MAC before the encryption, as before RFC 7366."""
    recording.nginx("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-SHA;")
    recording.tcpdump()
    ctx = context(recording, options=NO_ENCRYPT_THEN_MAC)
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    ask(ctx, b"a", b"b")


def http2(version):
    def record(recording):
        recording.nginx("ssl_protocols %s;" % version, http2="http2")
        recording.tcpdump()
        curls(recording)
    return record


tls_13_http2 = http2("TLSv1.3")
tls_12_http2 = http2("TLSv1.2")


def resumed(version):
    def record(recording):
        recording.nginx()
        recording.tcpdump()
        ctx = context(recording, version)
        session = ask(ctx, b"a")
        ask(ctx, b"b", b"c", session=session)
    return record


tls_13_resumed = resumed(ssl.TLSVersion.TLSv1_3)
tls_12_resumed = resumed(ssl.TLSVersion.TLSv1_2)


def tls_13_retry(recording):
    """The server has only a group for which the client has no share yet."""
    recording.nginx("ssl_ecdh_curve secp384r1;")
    recording.tcpdump()
    recording.curl("https://example.com/a")


def early(port):
    def record(recording):
        recording.nginx("ssl_early_data on;")
        with open(recording.path("early"), "wb") as file:
            file.write(GET % b"early")
        client = recording.s_client("-sess_out", "session", "-ign_eof", "-tls1_3", output="first")
        client.stdin.write(GET % b"first")
        client.stdin.flush()
        wait_for("session", lambda: b"hello" in recording.read("first"))
        client.kill()
        recording.tcpdump()
        client = recording.start("openssl", "s_client", "-connect", "127.0.0.1:%d" % port,
                                 "-keylogfile", recording.keys, "-sess_in", "session",
                                 "-early_data", "early", "-ign_eof", "-tls1_3", output="second",
                                 stdin=subprocess.PIPE)
        answers = 1 if port == PORT else 0
        wait_for("early answer", lambda: recording.read("second").count(b"hello") == answers and
                 b"Early data was" in recording.read("second"))
        client.stdin.write(GET % b"later")
        client.stdin.flush()
        wait_for("answer", lambda: recording.read("second").count(b"hello") == answers + 1)
        client.terminate()
        client.wait()
    return record


tls_13_early = early(PORT)
tls_13_early_rejected = early(OTHER_PORT)


def interactive(server_options, client_options, command):
    """Two requests by hand, and `command` to s_client between them."""
    def record(recording):
        server = recording.s_server(*server_options, stdin=subprocess.PIPE)
        recording.tcpdump()
        client = recording.s_client(*client_options)
        for count, name in enumerate((b"a", b"b"), 1):
            wait_for("handshake", lambda: b"---" in recording.read("s_client"))
            client.stdin.write(GET % name)
            client.stdin.flush()
            wait_for("request", lambda: b"GET /" + name in recording.read("s_server"))
            server.stdin.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            server.stdin.flush()
            wait_for("response", lambda: recording.read("s_client").count(b"hello") == count)
            if count == 1:
                client.stdin.write(command + b"\n")
                client.stdin.flush()
                word = b"KEYUPDATE" if command == b"K" else b"RENEGOTIATING"
                wait_for(command, lambda: word in recording.read("s_client"))
        client.stdin.close()
        client.wait()
        server.kill()
        server.wait()
    return record


tls_13_key_update = interactive(("-tls1_3",), ("-tls1_3",), b"K")
tls_12_renegotiated = interactive(("-tls1_2", "-client_renegotiation"), ("-tls1_2",), b"R")


def tls_13_client_certificate(recording):
    recording.nginx("ssl_verify_client optional_no_ca;")
    recording.tcpdump()
    recording.curl("--cert", "cert.pem", "--key", "key.pem", "https://example.com/a")


def main():
    wanted = {name: value for name, value in globals().items()
              if re.match("tls_1[23]_", name) and inspect.isfunction(value)}
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET); root is needed")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name in sys.argv[1:] or wanted:
        recording = Recording()
        with recording.stack:
            wanted[name](recording)
            recording.end(name)
        print(name, os.path.getsize(os.path.join(CAPTURES, name + ".pcap")))


if __name__ == "__main__":
    main()
