# SPDX-License-Identifier: Apache-2.0
"""What a capture misses, or shows a few packets late."""
from cases import case
from cases_http import answer, get
from craft import ACK, PSH, RST, SYN


def first_response_missed(cap, acked):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(201), seen=False)
    if acked:
        conn.send("c")
    for i in (2, 3):
        conn.c(get("/%d" % i))
        conn.s(answer(200 + i))
    conn.close()


@case("The first response of a connection is not in the file: no other one is given to its "
      "request, and of a client that was not seen to wait the next request is lost too.",
      "GET /3 203 0/0", says="2 response_gap, 1 responses without request, 40 bytes that the "
      "capture missed", recut=0)
def first_response_missed_acked(cap):
    first_response_missed(cap, True)


@case("... if only the next request acknowledges it.", "GET /3 203 0/0",
      says="2 response_gap, 1 responses without request, 40 bytes that the capture missed",
      recut=0)
def first_response_missed_noack(cap):
    first_response_missed(cap, False)


@case("The same on a connection that is older than the file.", "GET /3 203 0/0",
      says="40 bytes that the capture missed", recut=0)
def first_response_missed_joined(cap):
    conn = cap.conn().joined()
    conn.c(get("/1"))
    conn.s(answer(201), seen=False)
    for i in (2, 3):
        conn.c(get("/%d" % i))
        conn.s(answer(200 + i))
    conn.close()


@case("The only response is not in the file: the request was answered, its status is unknown.",
      says="lost: 1 response_gap, 40 bytes that the capture missed")
def only_response_missed(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(201), seen=False)
    conn.send("c")
    conn.close()


@case("A reset by the client acknowledges the response that the file lacks.",
      says="lost: 1 response_gap, 40 bytes that the capture missed")
def reset_acknowledges_missed_response(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(201), seen=False)
    conn.rst("c")


@case("The number of a reset tells that its sender had sent a response which the file lacks.",
      says="lost: 1 response_gap, 40 bytes that the capture missed")
def reset_behind_missed_response(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(201), seen=False)
    conn.rst("s")


@case("The file lacks a later response, and the client resets the connection.",
      "GET /1 201 0/0", "GET /2 202 0/0", says="lost: 1 response_gap")
def reset_acknowledges_later_response(cap):
    conn = cap.open()
    for i in (1, 2, 3):
        conn.c(get("/%d" % i))
        conn.s(answer(200 + i), seen=i != 3)
    conn.rst("c")


@case("A reset that acknowledges nothing new answers the request that it resets.",
      "GET /1 - connection_reset 0/0")
def reset_without_news(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.rst("s")


def each_response_late(cap, conn, count, distance):
    """Each response stands `distance` packets behind the one that acknowledges it."""
    late = []
    for i in range(1, count + 1):
        conn.c(get("/%d" % i))
        late += [conn.s(answer(210 + i, b"x" * i), seen=False)]
        if i > distance:
            cap.add(late[i - 1 - distance])
    return late[count - distance:]


@case("Every response stands a packet behind the request that acknowledges it: taken in the "
      "order in which they passed.", *["GET /%d %d 0/%d" % (i, 210 + i, i) for i in range(1, 6)],
      recut=0)
def response_behind_its_ack(cap):
    conn = cap.open()
    late = each_response_late(cap, conn, 5, 1)
    conn.send("c")
    for part in late:
        cap.add(part)
    conn.close()


@case("The lone acknowledgements stand before what they acknowledge, on both sides.",
      "POST /a 201 40/50", "GET /b 202 0/0")
def data_behind_lone_acks(cap):
    conn = cap.open()
    for send, peer, data in (
            (conn.c, "s", get("/a", "Content-Length: 40", method="POST") + b"u" * 40),
            (conn.s, "c", answer(201, b"d" * 50)), (conn.c, "s", get("/b")),
            (conn.s, "c", answer(202))):
        part = send(data, seen=False)
        conn.send(peer)
        cap.add(part)
    conn.close()


@case("The last response stands behind the end of the connection.", "GET /1 201 0/5")
def response_behind_the_end(cap):
    conn = cap.open()
    conn.c(get("/1"))
    late = conn.s(answer(201, b"hello"), seen=False)
    conn.close()
    cap.add(late)


@case("... and behind a reset that acknowledges it.", "GET /1 201 0/5")
def response_behind_the_reset(cap):
    conn = cap.open()
    conn.c(get("/1"))
    late = conn.s(answer(201, b"hello"), seen=False)
    conn.rst("c")
    cap.add(late)


@case("The handshake's answer stands behind the first request.", "GET /1 201 0/0")
def handshake_behind_the_request(cap):
    conn = cap.conn()
    conn.send("c", flags=SYN, ack=0)
    late = conn.send("s", flags=SYN | ACK, seen=False)
    conn.send("c")
    conn.c(get("/1"))
    cap.add(late)
    conn.s(answer(201))
    conn.close()


@case("More packets than the reordering window holds: the response counts as lost, with its "
      "request, and the late packet for nothing.", "GET /1 201 0/0", "GET /2 202 0/0",
      "GET /4 204 0/0", says=("1 response_gap", "40 bytes that the capture missed"), recut=0)
def response_behind_the_window(cap):
    conn = cap.open()
    for i in (1, 2, 3):
        conn.c(get("/%d" % i))
        late = conn.s(answer(200 + i), seen=i != 3)
    for _ in range(20):
        conn.send("c")
    cap.add(late)
    conn.c(get("/4"))
    conn.s(answer(204))
    conn.close()


@case("The reordering window ends by time too, also by that of other connections.",
      "GET /1 201 0/0", "GET /2 202 0/0", "GET /other 200 0/0",
      says=("1 response_gap", "40 bytes that the capture missed"), recut=0)
def response_behind_the_window_in_time(cap):
    conn, other = cap.open(), cap.open()
    for i in (1, 2, 3):
        conn.c(get("/%d" % i))
        late = conn.s(answer(200 + i), seen=i != 3)
    conn.send("c")
    cap.wait(200)
    other.c(get("/other"))
    cap.add(late)
    other.s(answer(200))
    conn.close()
    other.close()


@case("A sequence gap in a body of known length when the file ends: the request is complete, and "
      "not unanswered as well.", "GET /1 200 0/300",
      says="lost: 100 bytes that the capture missed", recut=0)
def gap_at_end(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(200, b"", "Content-Length: 300", length=False) + b"a" * 100)
    conn.s(b"b" * 100, seen=False)
    conn.s(b"c" * 100)


@case("Requests that the file ends before are unanswered; those that are lost are not.",
      "GET /0 200 0/0", says="lost: 2 unanswered at the end")
def unanswered_at_end(cap):
    for i in range(3):
        conn = cap.open()
        conn.c(get("/%d" % i))
        if i == 0:
            conn.s(answer(200))


@case("The ports are used again without a SYN in the file, after the end of the old connection: "
      "its data is counted as lost.", "GET /1 201 0/0",
      says="lost: 2 segments after the end of their connection", recut=0)
def data_after_close(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(201))
    conn.close()
    conn = cap.conn(client="10.0.0.1:40001", isn=(3000000, 7000000)).joined()
    conn.c(get("/2"))
    conn.s(answer(202))


@case("... and after a reset, wherever the sequence numbers go on.",
      "GET /1 - connection_reset 0/0",
      says="lost: 2 segments after the end of their connection", recut=0)
def data_after_reset(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.rst("s")
    conn.c(get("/2"))
    conn.s(answer(202))


@case("Only what the client sends is in the file: each request is lost, and none is unanswered.",
      says="lost: 3 response_gap", recut=0)
def one_direction_of_requests(cap):
    conn = cap.open()
    for i in (1, 2, 3):
        conn.c(get("/%d" % i))
        conn.s(answer(200 + i), seen=False)
        conn.send("c")
    conn.fin("c")


@case("Only what the server sends is in the file: responses without requests.",
      says="lost: 3 responses without request", recut=0)
def one_direction_of_responses(cap):
    conn = cap.conn()
    conn.send("c", flags=SYN, ack=0, seen=False)
    conn.send("s", flags=SYN | ACK)
    for i in (1, 2, 3):
        conn.send("c", get("/%d" % i), ACK | PSH, seen=False)
        conn.s(answer(200 + i))
    conn.fin("s")


@case("A complete exchange is not in the file: its bytes are not known.",
      "GET /1 201 0/0", "GET /2 202 0/0", "GET /4 205 0/0",
      says="; lost: 79 bytes that the capture missed", recut=0, status=1)
def exchange_missed(cap):
    conn = cap.open()
    for i, status in enumerate((201, 202, 203, 205), 1):
        conn.c(get("/%d" % i), seen=i != 3)
        conn.s(answer(status), seen=i != 3)
    conn.close()
