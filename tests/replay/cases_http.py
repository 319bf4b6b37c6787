# SPDX-License-Identifier: Apache-2.0
"""What one request is: captures about HTTP/1 itself."""
from cases import case


def get(target="/", *fields, method="GET", version="1.1"):
    lines = ["%s %s HTTP/%s" % (method, target, version), "Host: shop.example"]
    return "\r\n".join(lines + list(fields) + ["", ""]).encode()


def answer(status=200, body=b"", *fields, length=True):
    lines = ["HTTP/1.1 %d Text" % status] + list(fields)
    if length:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines + ["", ""]).encode() + body


@case("One request and its response are one transaction, from first to last byte.",
      "GET /a 200 0/5")
def simple(cap):
    conn = cap.open()
    conn.c(get("/a"))
    cap.wait(9)
    conn.s(answer(200, b"hello"))
    conn.close()


@case("Requests on one connection count apart; the time between them belongs to none.",
      "GET /1 200 0/1", "GET /2 404 0/2", "GET /3 500 0/3")
def keep_alive(cap):
    conn = cap.open()
    for i, status in enumerate((200, 404, 500), 1):
        conn.c(get("/%d" % i))
        conn.s(answer(status, b"x" * i))
        cap.wait(5000)
    conn.close()


@case("The duration ends with the last byte of a body that takes long.", "GET /slow 200 0/6")
def slow_body(cap):
    conn = cap.open()
    conn.c(get("/slow"))
    conn.s(answer(200, b"", "Content-Length: 6", length=False))
    for part in (b"ab", b"cd", b"ef"):
        cap.wait(99)
        conn.s(part)
    cap.wait(7000)
    conn.close()


@case("Twenty requests sent before the first response pair in order.",
      *["GET /p%d %d 0/%d" % (i, 200 + i, i) for i in range(1, 21) if i != 4])
def pipelining(cap):
    conn = cap.open()
    numbers = [i for i in range(1, 21) if i != 4]  # 204 has no body: a case of its own
    conn.c(b"".join(get("/p%d" % i) for i in numbers))
    for i in numbers:
        conn.s(answer(200 + i, b"x" * i))
    conn.close()


@case("Twenty responses in one segment answer twenty requests in another.",
      *["GET /q%d 200 0/2" % i for i in range(20)])
def pipelining_one_segment(cap):
    conn = cap.open()
    conn.c(b"".join(get("/q%d" % i) for i in range(20)))
    conn.s(answer(200, b"ok") * 20)
    conn.close()


CUT_HEAD = get("/cut", "Accept: */*")
CUT_ANSWER = answer(200, b"ok", "Server: x")


@case("A request head may be cut at any byte.", *["GET /cut 200 0/2"] * (len(CUT_HEAD) - 1))
def head_cut_anywhere(cap):
    for i in range(1, len(CUT_HEAD)):
        conn = cap.open()
        conn.c(CUT_HEAD[:i])
        conn.c(CUT_HEAD[i:])
        conn.s(CUT_ANSWER)
        conn.close()


@case("A response may be cut at any byte.", *["GET /cut 200 0/2"] * (len(CUT_ANSWER) - 1))
def response_cut_anywhere(cap):
    for i in range(1, len(CUT_ANSWER)):
        conn = cap.open()
        conn.c(CUT_HEAD)
        conn.s(CUT_ANSWER[:i])
        conn.s(CUT_ANSWER[i:])
        conn.close()


@case("1xx are interim: the final status is the one that counts.", "POST /up 201 4/2")
def interim_continue(cap):
    conn = cap.open()
    conn.c(get("/up", "Content-Length: 4", "Expect: 100-continue", method="POST"))
    conn.s(b"HTTP/1.1 100 Continue\r\n\r\n")
    conn.c(b"data")
    conn.s(answer(201, b"ok"))
    conn.close()


@case("103 Early Hints and 102 before the final response are interim too.", "GET /hints 200 0/2")
def interim_hints(cap):
    conn = cap.open()
    conn.c(get("/hints"))
    conn.s(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    cap.wait(50)
    conn.s(answer(200, b"ok"))
    conn.close()


@case("A final status in place of 100 ends it; the body is never sent.", "PUT /big 417 0/0")
def expect_refused(cap):
    conn = cap.open()
    conn.c(get("/big", "Content-Length: 1000", "Expect: 100-continue", method="PUT"))
    conn.s(answer(417))
    conn.close()


@case("HEAD announces a length and has no body.", "HEAD /h 200 0/0", "GET /h 200 0/3")
def head_method(cap):
    conn = cap.open()
    conn.c(get("/h", method="HEAD"))
    conn.s(answer(200, b"", "Content-Length: 12345", length=False))
    conn.c(get("/h"))
    conn.s(answer(200, b"abc"))
    conn.close()


@case("204 and 304 have no body, whatever their fields say (RFC 9112 section 6.3).",
      "GET /a 204 0/0", "GET /b 304 0/0", "GET /c 200 0/1")
def no_body_statuses(cap):
    conn = cap.open()
    conn.c(get("/a"))
    conn.s(answer(204, b"", length=False))
    conn.c(get("/b"))
    conn.s(answer(304, b"", "Content-Length: 99", length=False))
    conn.c(get("/c"))
    conn.s(answer(200, b"x"))
    conn.close()


CHUNKS = b"5;name=\"a;b\"\r\nhello\r\n00A\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"


@case("Chunked bodies with extensions and trailers end where their last line ends.",
      "POST /c 200 %d/%d" % (len(CHUNKS), len(CHUNKS)), "GET /after 200 0/0")
def chunked(cap):
    conn = cap.open()
    conn.c(get("/c", "Transfer-Encoding: chunked", method="POST") + CHUNKS)
    conn.s(answer(200, b"", "Transfer-Encoding: gzip, chunked", "Trailer: X-Sum", length=False) +
           CHUNKS)
    conn.c(get("/after"))
    conn.s(answer(200))
    conn.close()


@case("The last chunk comes late: the response lasts until then.", "GET /stream 200 0/18")
def chunked_stream(cap):
    conn = cap.open()
    conn.c(get("/stream"))
    conn.s(answer(200, b"", "Transfer-Encoding: chunked", length=False))
    conn.s(b"3\r\nabc\r\n")
    cap.wait(300)
    conn.s(b"0\r\nX:y\r\n\r\n")
    conn.close()


@case("Transfer-Encoding wins over Content-Length (RFC 9112 section 6.3).",
      "GET /both 200 0/5", "GET /n 200 0/0")
def chunked_and_length(cap):
    conn = cap.open()
    conn.c(get("/both"))
    conn.s(answer(200, b"", "Content-Length: 3", "Transfer-Encoding: chunked", length=False) +
           b"0\r\n\r\n")
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("A body without a length lasts until the server closes.", "GET /old 200 0/10")
def until_close(cap):
    conn = cap.open()
    conn.c(get("/old", version="1.0"))
    conn.s(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n01234")
    cap.wait(40)
    conn.s(b"56789")
    cap.wait(2)
    conn.close("s")


@case("An empty body until close is complete with the FIN.", "GET /none 200 0/0")
def until_close_empty(cap):
    conn = cap.open()
    conn.c(get("/none"))
    conn.s(b"HTTP/1.1 200 OK\r\n\r\n")
    cap.wait(5)
    conn.close("s")


@case("2xx to CONNECT makes a tunnel: what flows through it is not HTTP to us.",
      "CONNECT api.example:443 200 0/0")
def connect_tunnel(cap):
    conn = cap.open()
    conn.c(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    conn.s(b"HTTP/1.1 200 Connection established\r\n\r\n")
    conn.c(get("/inside"))
    conn.s(answer(200, b"inside"))
    conn.close()


@case("A refused CONNECT is a response like any other; the connection goes on.",
      "CONNECT api.example:443 403 0/2", "GET /x 200 0/0")
def connect_refused(cap):
    conn = cap.open()
    conn.c(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    conn.s(answer(403, b"no"))
    conn.c(get("/x"))
    conn.s(answer(200))
    conn.close()


@case("101 ends HTTP on the connection; WebSocket frames are not requests.", "GET /ws 101 0/0")
def upgrade(cap):
    conn = cap.open()
    conn.c(get("/ws", "Connection: Upgrade", "Upgrade: websocket"))
    conn.s(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    conn.c(b"\x81\x85abcd" + b"GET / HTTP/1.1\r\n\r\n")
    conn.s(b"\x81\x05hello")
    conn.close()


@case("The target may be *.", "OPTIONS * 204 0/0")
def options_asterisk(cap):
    conn = cap.open()
    conn.c(get("*", method="OPTIONS"))
    conn.s(answer(204, length=False))
    conn.close()


@case("The target may be a whole URL, as proxies are sent it.",
      "GET http://shop.example:8080/a/b 200 0/0")
def absolute_form(cap):
    conn = cap.open()
    conn.c(get("http://shop.example:8080/a/b?c=d"))
    conn.s(answer(200))
    conn.close()


@case("Any token is a method.", "PROPFIND /dav 207 0/0", "M-SEARCH * 200 0/0",
      "brew!#$%&'*+-.^_`|~09 /pot 418 0/0")
def any_method(cap):
    conn = cap.open()
    for method, target, status in (("PROPFIND", "/dav", 207), ("M-SEARCH", "*", 200),
                                   ("brew!#$%&'*+-.^_`|~09", "/pot", 418)):
        conn.c(get(target, method=method))
        conn.s(answer(status))
    conn.close()


@case("A method and a target that would drive a terminal are printed harmless.",
      r"GET /\x1b[31m\xff\\x41 200 0/0")
def hostile_target(cap):
    conn = cap.open()
    conn.c(b"GET /\x1b[31m\xff\\x41 HTTP/1.1\r\nHost: a\r\n\r\n")
    conn.s(answer(200))
    conn.close()


@case("Body bytes that look like a request are body, by the announced length.",
      "POST /log 200 %d/%d" % (len(get("/fake")), len(answer(500))), "GET /real 200 0/0")
def body_like_request(cap):
    conn = cap.open()
    conn.c(get("/log", "Content-Length: %d" % len(get("/fake")), method="POST"))
    conn.c(get("/fake"))
    conn.s(answer(200, b"", "Content-Length: %d" % len(answer(500)), length=False))
    conn.s(answer(500))
    conn.c(get("/real"))
    conn.s(answer(200))
    conn.close()


@case("Obsolete line folding is tolerated, also when it hides the length.",
      "POST /fold 200 3/2", "GET /n 200 0/0")
def obsolete_folding(cap):
    conn = cap.open()
    conn.c(b"POST /fold HTTP/1.1\r\nX-Long: a\r\n\tb\r\nContent-Length:\r\n 3\r\n\r\nabc")
    conn.s(b"HTTP/1.1 200 OK\r\nX: a\r\n  b: c\r\nContent-Length: 2\r\n\r\nok")
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("Bare LF ends a line, as nginx and Apache accept.", "GET /lf 200 0/2")
def bare_lf(cap):
    conn = cap.open()
    conn.c(b"GET /lf HTTP/1.1\nHost: a\n\n")
    conn.s(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    conn.close()


@case("Empty lines before a request line are skipped (RFC 9112 section 2.2).",
      "POST /a 200 2/0", "GET /b 200 0/0")
def empty_lines(cap):
    conn = cap.open()
    conn.c(b"\r\n\r\n" + get("/a", "Content-Length: 2", method="POST") + b"xx\r\n")
    conn.s(answer(200))
    conn.c(get("/b"))
    conn.s(answer(200))
    conn.close()


@case("Bare responses have no reason phrase or an odd one.", "GET /a 200 0/0", "GET /b 299 0/0")
def reason_phrases(cap):
    conn = cap.open()
    conn.c(get("/a"))
    conn.s(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")
    conn.c(get("/b"))
    conn.s(b"HTTP/1.1 299 \x80 very: odd\r\nContent-Length: 0\r\n\r\n")
    conn.close()


@case("The client leaves while the response is on its way: counted, with what is known.",
      "GET /big 200 connection_closed 0/3")
def client_closes(cap):
    conn = cap.open()
    conn.c(get("/big"))
    conn.s(answer(200, b"", "Content-Length: 1000", length=False) + b"abc")
    conn.fin("c")
    conn.fin("s")
    conn.send("c")


@case("The client resets in the middle of the response.", "GET /big 200 connection_reset 0/3")
def client_resets(cap):
    conn = cap.open()
    conn.c(get("/big"))
    conn.s(answer(200, b"", "Content-Length: 1000", length=False) + b"abc")
    conn.rst("c")


@case("A reset before any response has no status, and none is invented.",
      "GET /gone - connection_reset 0/0")
def reset_before_response(cap):
    conn = cap.open()
    conn.c(get("/gone"))
    cap.wait(20)
    conn.rst("s")


@case("A server that closes without a word.", "GET /gone - connection_closed 0/0")
def close_before_response(cap):
    conn = cap.open()
    conn.c(get("/gone"))
    conn.close("s")


@case("A request that is still open when the capture ends did not fail: it is not counted.",
      "GET /a 200 0/0", says="1 unanswered at the end")
def open_at_end(cap):
    conn = cap.open()
    conn.c(get("/a"))
    conn.s(answer(200))
    conn.c(get("/b"))


@case("A response before the upload has ended is its response; the rest is still body.",
      "POST /up 413 10/4", "GET /n 200 0/0")
def early_response(cap):
    conn = cap.open()
    conn.c(get("/up", "Content-Length: 30", method="POST") + b"0123456789")
    conn.s(answer(413, b"huge"))
    conn.c(b"GET /fake HTTP/1.1\r\n")
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("A response before the upload has ended, then the server closes.", "POST /up 413 10/4")
def early_response_close(cap):
    conn = cap.open()
    conn.c(get("/up", "Content-Length: 1000000", method="POST") + b"0123456789")
    conn.s(answer(413, b"huge", "Connection: close"))
    conn.close("s")


@case("The client may half-close the connection and still gets its response.", "GET /half 200 0/4")
def half_close(cap):
    conn = cap.open()
    conn.fin("c", get("/half"))
    cap.wait(30)
    conn.s(answer(200, b"late"))
    conn.fin("s")
    conn.send("c")


@case("A health check of the kubelet is marked as one.", "GET /healthz 200 0/2 probe")
def kube_probe(cap):
    conn = cap.open()
    conn.c(get("/healthz", "User-Agent: kube-probe/1.30"))
    conn.s(answer(200, b"ok"))
    conn.close()


@case("Numbers and identifiers are templated in the route; the query never enters it.",
      "GET /users/4711/orders 200 0/0")
def route_template(cap):
    conn = cap.open()
    conn.c(get("/users/4711/orders?x=1"))
    conn.s(answer(200))
    conn.close()


@case("The users' own templates win.", "GET /shop/blue/shoes 200 0/0",
      args=["--routes", "/shop/{color}/*"])
def route_of_user(cap):
    conn = cap.open()
    conn.c(get("/shop/blue/shoes"))
    conn.s(answer(200))
    conn.close()


@case("A template that can hardly match anything is named.", "GET /users/7 200 0/0",
      args=["--routes", "/users/:id"], says="route template /users/:id: it matches only paths with")
def route_doubted(cap):
    conn = cap.open()
    conn.c(get("/users/7"))
    conn.s(answer(200))
    conn.close()


@case("A head over 16 KiB is counted with what is known, and its framing still holds.",
      "POST /huge 200 2/0", "GET /n 200 0/0", recut=0)
def huge_head(cap):
    conn = cap.open()
    head = get("/huge", "Content-Length: 2", "X-Big: " + "x" * 20000, method="POST")
    conn.c(head + b"ab")
    conn.s(answer(200))
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("Something else than HTTP gives no requests.")
def not_http(cap):
    conn = cap.open(server="10.0.0.2:6379")
    conn.c(b"*1\r\n$4\r\nPING\r\n")
    conn.s(b"+PONG\r\n")
    conn.close()


@case("A TLS connection gives no requests.")
def tls(cap):
    conn = cap.open(server="10.0.0.2:443")
    conn.c(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
    conn.s(b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00")
    conn.close()


@case("Invented statuses are what the server sent; as labels of metrics they are few.",
      *["GET / %d 0/0" % status for status in (*range(580, 600), 599, 503, 200, 580, 418, 999)])
def invented_statuses(cap):
    conn = cap.open()
    for status in (*range(580, 600), 599, 503, 200, 580, 418, 999):
        conn.c(get())
        conn.s(answer(status))
    conn.close()
