# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no HTTP where HTTP should be."""
import re

from cases import case
from cases_http import answer, get


def not_http_case(name, why, *segments):
    def build(cap):
        conn = cap.open()
        conn.c(get("/1"))
        conn.s(answer(200))
        conn.c(get("/2"))
        for segment in segments:
            conn.s(segment)
        conn.close("s")
    build.__name__ = "response_" + name
    case("A response that is no HTTP/1.x is malformed, and its request's: %s." % why,
         "GET /1 200 0/0", "GET /2 - malformed_response 0/0")(build)


not_http_case("icy", "shoutcast", b"ICY 200 OK\r\nicy-name: radio\r\n\r\n", b"\xff\xfb" * 50)
not_http_case("without_version", "a status line without version",
              b"HTTP 503 Server Busy\r\nContent-Length: 0\r\n\r\n")
not_http_case("http09", "the bare body of HTTP/0.9", b"<html>\n", b"<p>hello</p></html>\n")
not_http_case("ssh", "another server's greeting", b"SSH-2.0-OpenSSH_9.2p1\r\n")
not_http_case("http2_line", "a version that is not 1", b"HTTP/2.0 200 OK\r\n\r\n")
not_http_case("bad_status", "a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n")
not_http_case("binary", "an alert of TLS", b"\x15\x03\x01\x00\x02\x02\x46")


@case("The first response of a connection is no HTTP; the next request has its own.",
      "GET /1 - malformed_response 0/0", "GET /2 200 0/0")
def response_not_http_then_http(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(b"ICY 200 OK\r\n\r\n")
    conn.c(get("/2"))
    conn.s(answer(200))
    conn.close()


@case("What is no HTTP comes behind 100 (Continue).", "POST /1 - malformed_response 2/0")
def response_not_http_after_continue(cap):
    conn = cap.open()
    conn.c(get("/1", "Content-Length: 2", "Expect: 100-continue", method="POST"))
    conn.s(b"HTTP/1.1 100 Continue\r\n\r\n")
    conn.c(b"ab")
    conn.s(b"ICY 200 OK\r\n\r\n")
    conn.close()


@case("Pipelined requests: the first without an answer before it is malformed, the rest is lost.",
      "GET /1 201 0/0", "GET /2 - malformed_response 0/0", says="lost: 1 response_gap", recut=0)
def response_not_http_pipelined(cap):
    conn = cap.open()
    conn.c(get("/1") + get("/2") + get("/3"))
    conn.s(answer(201))
    conn.s(b"ICY 200 OK\r\n\r\n")
    conn.s(answer(203))
    conn.close()


@case("A server that greets before the request, as SSH and mail do.",
      "GET /1 - malformed_response 0/0", recut=0)
def greeting_before_request(cap):
    conn = cap.open()
    conn.s(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    conn.c(get("/1"))
    conn.s(b"Invalid SSH identification string.\r\n")
    conn.close("s")


@case("Such a server with a client of its own is not HTTP, whatever the client says later.",
      says="1 connections, 0 requests", recut=0)
def greeting_of_mail(cap):
    conn = cap.open()
    conn.s(b"220 mail.example ESMTP\r\n")
    conn.c(b"EHLO client.example\r\n")
    conn.s(b"250 mail.example\r\n")
    conn.c(get("/1"))
    conn.s(answer(200))
    conn.close()


@case("Two spaces before the status.", "GET /1 200 0/2", "GET /2 404 0/0")
def status_behind_two_spaces(cap):
    conn = cap.open()
    for path, line in (("/1", b"HTTP/1.1  200 OK"), ("/2", b"HTTP/1.1  404")):
        conn.c(get(path))
        conn.s(line + (b"\r\nContent-Length: 2\r\n\r\nok" if path == "/1" else
                       b"\r\nContent-Length: 0\r\n\r\n"))
    conn.close()


@case("Three are too many.", "GET /1 - malformed_response 0/0")
def status_behind_three_spaces(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(b"HTTP/1.1   200 OK\r\nContent-Length: 0\r\n\r\n")
    conn.close()


@case("A body that no field announced: the request keeps its response, and the body is a request "
      "that the server answers with 400.", "POST /a 200 0/2", "_OTHER - 400 0/3", recut=0)
def stray_body(cap):
    conn = cap.open()
    conn.c(get("/a", method="POST") + b"login=foo&password=bar")
    conn.s(answer(200, b"ok"))
    conn.s(answer(400, b"bad", "Connection: close"))
    conn.close("s")


@case("... that the server does not answer.", "POST /a 200 0/2", recut=0)
def stray_body_unanswered(cap):
    conn = cap.open()
    conn.c(get("/a", method="POST") + b"login=foo&password=bar")
    conn.s(answer(200, b"ok"))
    conn.close("s")


@case("Bytes that begin no request, behind one that has no response.",
      "GET /a - connection_closed 0/0", recut=0)
def garbage_then_close(cap):
    conn = cap.open()
    conn.c(get("/a") + b"<!DOCTYPE")
    conn.close("s")


@case("They come behind several requests, each of which keeps its response.",
      "GET /1 201 0/0", "GET /2 202 0/0", "_OTHER - 400 0/0", recut=0)
def garbage_behind_pipeline(cap):
    conn = cap.open()
    conn.c(get("/1") + get("/2") + b"\0\0\0")
    for status in (201, 202, 400):
        conn.s(answer(status))
    conn.close("s")


@case("Broken framing of a request behind another one: both keep their responses.",
      "GET /1 201 0/0", "POST /2 400 0/0", recut=0)
def broken_chunk_behind_request(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.c(get("/2", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n")
    for status in (201, 400):
        conn.s(answer(status))
    conn.close("s")


@case("Broken framing of a request that others follow: what came before it keeps its response.",
      "GET /1 201 0/0", "POST /2 400 0/0",
      says=("1 response_gap", "1 responses without request"), recut=0)
def broken_chunk_between_requests(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.c(get("/2", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n")
    conn.c(get("/3"))
    for status in (201, 400, 203):
        conn.s(answer(status))
    conn.close("s")


@case("Requests behind such bytes may not be the ones that the next responses answer.",
      "GET /1 201 0/0", says=("1 response_gap", "1 responses without request"), recut=0)
def garbage_between_requests(cap):
    conn = cap.open()
    conn.c(get("/1") + b"\0\0\0")
    conn.c(get("/2"))
    for status in (201, 400):
        conn.s(answer(status))
    conn.close("s")


for NAME, LINE in (("http09", b"GET /old\r\n"), ("words", b"hello, who is there?\r\n\r\n"), ("no_end", b"FOOBAR"),
                   ("control", b"\x01\x02\x03\x04\r\n\r\n"), ("spaces", b"  GET / HTTP/1.1\r\n\r\n")):
    def build_line(cap, line=LINE):
        conn = cap.open()
        conn.c(line)
        cap.wait(9)
        conn.s(answer(400, b"bad", "Connection: close"))
        conn.close("s")
    build_line.__name__ = "first_line_" + NAME
    case("A first line that cannot be read is a request if the server says so: %s." % NAME,
         recut=0, stdout=re.compile(
             r'\{"time":"2023-11-14T22:13:20\.004000000Z",.*"method":"(_OTHER|FOOBAR)",'
             r'"target":null,"route":"unknown","version":"1.1","status":400,"error":null,'
             r'"duration_ns":10000000,.*"response_bytes":3,.*\}\n'))(build_line)


@case("A line that cannot be read between requests of one connection.",
      "GET /1 201 0/0", "_OTHER - 400 0/0", "GET /3 203 0/0", recut=0)
def line_between_requests(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(201))
    conn.c(b"\0\0\0\r\n")
    conn.s(answer(400))
    conn.c(get("/3"))
    conn.s(answer(203))
    conn.close()


@case("A server may serve what is no request line: it is a request all the same.",
      "_OTHER - 200 0/0", recut=0)
def line_answered_well(cap):
    conn = cap.open()
    conn.c(b"\0\0\0\r\n")
    conn.s(answer(200))
    conn.close()


def truncated_head(cap, head, end):
    conn = cap.open()
    conn.c(get("/a"))
    conn.s(head)
    if end == "close":
        conn.close("s")
    else:
        conn.rst("s")


TRUNCATED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n"


@case("A status line was sent, and its head never ended.", "GET /a 500 connection_closed 0/0")
def status_line_then_close(cap):
    truncated_head(cap, TRUNCATED, "close")


@case("... before a reset.", "GET /a 500 connection_reset 0/0")
def status_line_then_reset(cap):
    truncated_head(cap, TRUNCATED, "reset")


@case("... that is interim: the final one never came.", "GET /a - connection_closed 0/0")
def interim_status_line_then_close(cap):
    truncated_head(cap, b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n", "close")


@case("A truncated status does not count.", "GET /a - connection_closed 0/0")
def truncated_status_then_close(cap):
    truncated_head(cap, b"HTTP/1.1 50", "close")
