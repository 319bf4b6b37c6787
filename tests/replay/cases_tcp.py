# SPDX-License-Identifier: Apache-2.0
"""What TCP and the capturing do to bytes on their way."""
import random

from cases import case
from cases_http import answer, get
from craft import ACK, FIN, RST, SYN

SPLIT = 18  # a place inside the request line of get()


@case("A segment that was lost on the network and sent again is in its place.",
      "GET /lost 200 0/4")
def network_loss(cap):
    conn = cap.open()
    head = get("/lost")
    first = conn.c(head[:SPLIT], seen=False)
    conn.c(head[SPLIT:])
    conn.send("s", ack=first[0].seq)
    cap.add(first)
    conn.s(answer(200, b"okay"))
    conn.close()


@case("Retransmissions of what was seen count for nothing.", "GET /r 200 0/2", "GET /s 200 0/2",
      says="repeated")
def retransmission(cap):
    conn = cap.open()
    first = conn.c(get("/r"))
    cap.add(first)
    second = conn.s(answer(200, b"ok"))
    cap.add(second)
    cap.add(first)
    conn.c(get("/s"))
    cap.add(first)
    conn.s(answer(200, b"ok"))
    conn.close()


@case("Segments in reverse order give the same message.", "POST /reverse 200 26/26")
def reordered(cap):
    conn = cap.open()
    letters = b"abcdefghijklmnopqrstuvwxyz"
    for send, data in ((conn.c, get("/reverse", "Content-Length: 26", method="POST") + letters),
                       (conn.s, answer(200, letters))):
        parts = [send(data[i:i + 7], seen=False) for i in range(0, len(data), 7)]
        for part in reversed(parts):
            cap.add(part[::-1])
    conn.close()


@case("Pipelined requests whose segments change places still pair in order.",
      "GET /1 201 0/1", "GET /2 202 0/2", "GET /3 203 0/3")
def reordered_pipeline(cap):
    conn = cap.open()
    parts = [conn.c(get("/%d" % i), seen=False) for i in (1, 2, 3)]
    for i in (2, 0, 1):
        cap.add(parts[i])
    parts = [conn.s(answer(200 + i, b"x" * i), seen=False) for i in (1, 2, 3)]
    for i in (1, 2, 0):
        cap.add(parts[i])
    conn.close()


def every_second_late(cap, step, before=()):
    conn = cap.open()
    for name in before:
        conn.c(get("/" + name))
        conn.s(answer(200))
    head = get("/" + "h" * 400)
    parts = [conn.c(head[i:i + step], seen=False) for i in range(0, len(head), step)]
    for part in parts[1::2] + parts[0::2]:
        cap.add(part)
    conn.s(answer(200))
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("Every second segment comes late: fifteen gaps are filled.",
      "GET /" + "h" * 400 + " 200 0/0", "GET /n 200 0/0")
def many_gaps(cap):
    every_second_late(cap, 15)


@case("More gaps at once than are followed: the first are given up, the request with them, and "
      "the connection goes on, as its client is known to wait.",
      "GET /a 200 0/0", "GET /b 200 0/0", "GET /n 200 0/0",
      says=("1 responses without request", "bytes that the capture missed"))
def too_many_gaps(cap):
    every_second_late(cap, 10, before="ab")


RANDOM_CONNECTIONS = 20


@case("Whatever the order, the cutting and the number of copies in which segments come: every "
      "byte counts once.", *["POST /r%d 200 300/300" % i for i in range(RANDOM_CONNECTIONS)
                             for _ in range(3)])
def random_network(cap):
    dice = random.Random(4711)

    def deliver(send, data):
        parts = []
        while data:
            size = dice.randrange(1, 80)
            parts.append(send(data[:size], seen=False))
            data = data[size:]
        flight = parts + dice.choices(parts, k=5)
        while flight:
            cap.add(flight.pop(dice.randrange(min(4, len(flight)))))

    for i in range(RANDOM_CONNECTIONS):
        conn = cap.open(isn=(dice.randrange(2**32), 2**32 - dice.randrange(2000)))
        for _ in range(3):
            deliver(conn.c, get("/r%d" % i, "Content-Length: 300", method="POST") + b"u" * 300)
            deliver(conn.s, answer(200, b"d" * 300))
        conn.close()


@case("Overlapping segments: bytes that were seen first stay.", "GET /overlap 200 0/6")
def overlap(cap):
    conn = cap.open()
    head = get("/overlap")
    conn.c(head[:30])
    conn.c(head[10:40], seq=conn.next["c"] - 20)
    conn.next["c"] += 10
    conn.c(head[40:])
    data = answer(200, b"abcdef")
    at = conn.next["s"]
    conn.s(data[5:20], seq=at + 5)
    conn.s(data[:12], seq=at)
    conn.s(b"X" * 8, seq=at + 3)
    conn.s(data[15:], seq=at + 15)
    conn.next["s"] += len(data)
    conn.close()


@case("Sequence numbers pass 2^32 inside the head, and inside the body.", "GET /wrap 200 0/64")
def wrap_around(cap):
    conn = cap.open(isn=(2**32 - 10, 2**32 - 60))
    conn.c(get("/wrap"))
    conn.s(answer(200, b"w" * 64))
    conn.close()


@case("Keep-alive probes, with and without a byte, are not data.",
      "GET /1 200 0/0", "GET /2 200 0/0")
def keep_alive_probes(cap):
    conn = cap.open()
    conn.c(get("/1"))
    conn.s(answer(200))
    for side in "csc":
        cap.wait(1000)
        conn.send(side, b"\0", seq=conn.next[side] - 1)
        conn.send(side, seq=conn.next[side] - 1)
        conn.send("s" if side == "c" else "c")
    conn.c(get("/2"))
    conn.s(answer(200))
    conn.close()


@case("The same address pair again, after FINs, is another connection.",
      "GET /first 200 0/0", "GET /second 200 0/0")
def port_reuse(cap):
    for isn, path in (((1000, 5000), "/first"), ((900000, 3), "/second")):
        conn = cap.open(client="10.0.0.1:50000", isn=isn)
        conn.c(get(path))
        conn.s(answer(200))
        conn.close()


@case("The same address pair again although the end of the old use is not in the capture.",
      "GET /first - connection_closed 0/0", "GET /second 200 0/0")
def port_reuse_unclosed(cap):
    for isn, path in (((1000, 5000), "/first"), ((900000, 3), "/second")):
        conn = cap.open(client="10.0.0.1:50000", isn=isn)
        conn.c(get(path))
    conn.s(answer(200))
    conn.close()


@case("A SYN sent twice is one connection; late packets of a closed one are none.",
      "GET /once 200 0/0", says="1 connections, 1 requests")
def late_packets(cap):
    conn = cap.conn()
    syn = conn.send("c", flags=SYN, ack=0)
    cap.add(syn)
    conn.send("s", flags=SYN | ACK)
    conn.send("c")
    request = conn.c(get("/once"))
    conn.s(answer(200))
    conn.close()
    cap.add(request)
    cap.add(syn)


@case("Packets captured twice, as on the loopback of `-i any`, count once.",
      "POST /twice 200 3/5", "GET /again 200 0/0")
def captured_twice(cap):
    cap.copies = 2
    conn = cap.open()
    conn.c(get("/twice", "Content-Length: 3", method="POST") + b"abc")
    conn.s(answer(200, b"twice"))
    conn.c(get("/again"))
    conn.s(answer(200))
    conn.close()


@case("Joined before a request: who sends requests is the client.", "GET /joined 200 0/2")
def joined_at_request(cap):
    conn = cap.conn().joined()
    conn.c(get("/joined"))
    conn.s(answer(200, b"ok"))
    conn.close()


@case("The same when the server has the higher port.", "GET /joined 200 0/2")
def joined_high_port(cap):
    conn = cap.conn(client="10.0.0.1:81", server="10.0.0.2:8080").joined()
    conn.c(get("/joined"))
    conn.s(answer(200, b"ok"))
    conn.close()


@case("Joined before a response: its request is unknown, so it is not counted; the next one is.",
      "GET /next 200 0/0", says="1 responses without request")
def joined_at_response(cap):
    conn = cap.conn().joined()
    conn.s(answer(200, b"ok"))
    conn.c(get("/next"))
    conn.s(answer(200))
    conn.close()


@case("Joined in the middle of a body: nothing is taken for a message before one begins a segment.",
      "GET /next 200 0/0", recut=0)
def joined_in_body(cap):
    conn = cap.conn().joined()
    conn.s(b"rest of a body that has many words and no line end " * 20)
    conn.s(b"rest of a body that says\r\nGET /fake HTTP/1.1\r\n\r\n and more")
    conn.c(get("/next"))
    conn.s(answer(200))
    conn.close()


@case("The SYN is missing: the SYN-ACK tells who is the server.", "GET /a 200 0/0")
def syn_missing(cap):
    conn = cap.conn(client="10.0.0.1:80", server="10.0.0.2:9999")
    conn.send("c", flags=SYN, ack=0, seen=False)
    conn.send("s", flags=SYN | ACK)
    conn.send("c")
    conn.c(get("/a"))
    conn.s(answer(200))
    conn.close()


@case("Data may come with the SYN (TCP Fast Open).", "GET /tfo 200 0/0")
def fast_open(cap):
    conn = cap.conn()
    conn.send("c", get("/tfo"), flags=SYN, ack=0)
    conn.send("s", flags=SYN | ACK)
    conn.s(answer(200))
    conn.close()


@case("The capture missed a segment of a body of known length: the transaction stands.",
      "GET /body 200 0/300", "GET /n 200 0/0", says="100 bytes that the capture missed")
def capture_missed_body(cap):
    conn = cap.open()
    conn.c(get("/body"))
    conn.s(answer(200, b"", "Content-Length: 300", length=False) + b"x" * 100)
    conn.s(b"y" * 100, seen=False)
    conn.s(b"z" * 100)
    conn.send("c")
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("The capture missed the end of a body: the acknowledgement tells that it passed.",
      "GET /body 200 0/300", "GET /n 200 0/0")
def capture_missed_body_end(cap):
    conn = cap.open()
    conn.c(get("/body"))
    conn.s(answer(200, b"", "Content-Length: 300", length=False) + b"x" * 100)
    conn.s(b"y" * 200, seen=False)
    conn.send("c")
    cap.wait(3000)
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("The capture missed a response head: the request is lost, and counted as lost; no other "
      "response is given to it.", "GET /1 201 0/0", "GET /3 203 0/0",
      says=("lost: 1 ", "bytes that the capture missed"))
def capture_missed_response(cap):
    conn = cap.open()
    for i in (1, 2, 3):
        conn.c(get("/%d" % i))
        conn.s(answer(200 + i), seen=i != 2)
    conn.close()


def capture_missed(cap, request):
    conn = cap.open()
    for i in (1, 2, 3, 4):
        conn.c(get("/%d" % i), seen=i != request)
        conn.s(answer(200 + i))
    conn.close()


@case("The capture missed a request: its response is unpaired.", "GET /1 201 0/0",
      "GET /2 202 0/0", "GET /4 204 0/0", says="1 responses without request")
def capture_missed_request(cap):
    capture_missed(cap, 3)


@case("... before its client was seen to wait: so may be the next.", "GET /1 201 0/0",
      "GET /4 204 0/0", says=("1 response_gap", "2 responses without request"))
def capture_missed_early_request(cap):
    capture_missed(cap, 2)


@case("A gap that a retransmission fills is waited for: duplicate ACKs do not pass it.",
      "GET /wait 200 0/200")
def gap_is_waited_for(cap):
    conn = cap.open()
    conn.c(get("/wait"))
    data = answer(200, b"x" * 200)
    late = conn.s(data[:50], seen=False)
    conn.s(data[50:100])
    for _ in range(3):
        conn.send("c", ack=late[0].seq)
    conn.s(data[100:])
    cap.wait(200)
    cap.add(late)
    conn.send("c")
    conn.close()


@case("A snapshot length that cuts bodies leaves requests and sizes exact.",
      "POST /snap 200 500/700", "GET /n 200 0/0", recut=0,
      says="bytes cut off by the snapshot length")
def snaplen(cap):
    cap.snaplen = 250
    conn = cap.open()
    conn.c(get("/snap", "Content-Length: 500", method="POST") + b"u" * 500)
    conn.s(answer(200, b"d" * 700))
    conn.c(get("/n"))
    conn.s(answer(200))
    conn.close()


@case("A snapshot length inside the headers: nothing is known, and said to be so.",
      recut=0, says="with headers cut off")
def snaplen_headers(cap):
    cap.snaplen = 60
    conn = cap.open()
    conn.c(get("/snap"))
    conn.s(answer(200))
    conn.close()


@case("A reset with a number that no peer would take does not end the connection.",
      "GET /a 200 0/2", says="1 outside of any window")
def forged_reset(cap):
    conn = cap.open()
    conn.c(get("/a"))
    conn.send("c", flags=RST, seq=conn.next["c"] + 2**31 - 5)
    conn.s(answer(200, b"ok"))
    conn.close()


@case("Data a gigabyte ahead of the window is not of this connection.", "GET /a 200 0/2",
      says="1 outside of any window", recut=0)
def forged_data(cap):
    conn = cap.open()
    conn.c(get("/a"))
    conn.c(get("/forged"), seq=conn.next["c"] + 2**30 + 7)
    conn.s(answer(200, b"ok"))
    conn.close()


@case("FIN with the last data, FIN alone, FIN repeated: the body until close ends once.",
      "GET /1 200 0/4", "GET /2 200 0/4")
def fin_variants(cap):
    for i in (1, 2):
        conn = cap.open()
        conn.c(get("/%d" % i, version="1.0"))
        conn.s(b"HTTP/1.0 200 OK\r\n\r\n12")
        fin = conn.fin("s", b"34") if i == 1 else conn.s(b"34") and conn.fin("s")
        cap.add(fin[-1:])
        conn.fin("c")
        conn.send("s")


@case("A FIN that overtakes data does not end the direction before it.", "GET /1 200 0/4")
def fin_before_data(cap):
    conn = cap.open()
    conn.c(get("/1", version="1.0"))
    late = conn.s(b"HTTP/1.0 200 OK\r\n\r\n1234", seen=False)
    conn.fin("s")
    cap.wait(50)
    cap.add(late)
    conn.send("c")
    conn.fin("c")
    conn.send("s")


@case("RST right after the FIN, as browsers leave, ends what is complete already.",
      "GET /done 200 0/2")
def reset_after_fin(cap):
    conn = cap.open()
    conn.c(get("/done"))
    conn.s(answer(200, b"ok"))
    conn.fin("c")
    conn.rst("c")


@case("A refused connection and a scan make no requests.", says="2 connections, 0 requests")
def refused(cap):
    conn = cap.conn()
    conn.send("c", flags=SYN, ack=0)
    conn.rst("s", seq=0)
    conn = cap.open()
    conn.rst("c")


@case("FIN scans and lone ACKs of unknown connections are nothing.",
      says="0 connections, 0 requests")
def stray_packets(cap):
    for flags in (ACK, FIN, FIN | ACK, RST, RST | ACK, 0, 255):
        cap.conn().joined().send("c", flags=flags)


@case("The client's side sees the same requests; durations end with the last byte received.",
      "GET /out 200 0/3", args=["--side", "client"])
def client_side(cap):
    conn = cap.open()
    conn.c(get("/out"))
    conn.s(answer(200, b"out"))
    conn.close()


@case("Two connections, segments alternate.", "GET /a 200 0/1", "GET /b 404 0/2")
def interleaved(cap):
    a, b = cap.conn(), cap.conn()
    a.open(), b.open()
    a.c(get("/a")), b.c(get("/b"))
    a.s(answer(200, b"a")), b.s(answer(404, b"bb"))
    a.close(), b.close()
