# SPDX-License-Identifier: Apache-2.0
"""MPTCP (RFC 8684): each subflow of a connection carries a part of the stream."""
import hashlib
import struct

from cases import case
from cases_http import answer, get
from craft import ACK, PSH, SYN

CLIENT_KEY, SERVER_KEY = b"client's", b"server's"
TOKEN = hashlib.sha256(SERVER_KEY).digest()[:4]
SECOND = "10.0.0.9:40009"
LOST = "2 subflows of MPTCP connections with several"


def capable(*keys, version=1):
    return struct.pack("BBBB", 30, 4 + 8 * len(keys), version, 0x01) + b"".join(keys)


def mapping(at, size):
    """A DSS option: an acknowledgement, and the position of the segment's bytes in the stream."""
    return struct.pack(">BBBBIIIHBB", 30, 18, 0x20, 0x05, 0, at, at, size, 1, 1)


class Subflow:
    def __init__(self, conn):
        self.conn = conn

    def send(self, side, data):
        return self.conn.send(side, data, ACK | PSH, option=mapping(self.conn.next[side], len(data)))

    def exchange(self, target, status):
        self.send("c", get(target))
        self.send("s", answer(status))


def first_subflow(cap, version=1, handshake=True):
    conn = cap.conn()
    seen = {"seen": handshake}
    conn.send("c", flags=SYN, ack=0, option=capable(version=version), **seen)
    conn.send("s", flags=SYN | ACK, option=capable(SERVER_KEY, version=version), **seen)
    conn.send("c", option=capable(CLIENT_KEY, SERVER_KEY, version=version), **seen)
    return Subflow(conn)


def join(cap, token=TOKEN):
    conn = cap.conn(SECOND, isn=(70000, 90000))
    conn.send("c", flags=SYN, ack=0, option=b"\x1e\x0c\x10\x01" + token + b"rand")
    conn.send("s", flags=SYN | ACK, option=b"\x1e\x10\x10\x01" + b"hmac-of-" + b"rand")
    conn.send("c", option=b"\x1e\x18\x10\x00" + b"the-hmac-of-the-acks")
    return Subflow(conn)


@case("A connection with one subflow is counted like any other.", "GET /1 201 0/0", "GET /2 202 0/0")
def mptcp_one_subflow(cap):
    flow = first_subflow(cap)
    flow.exchange("/1", 201)
    flow.exchange("/2", 202)
    flow.conn.close()


@case("A second subflow carries part of what follows: neither subflow is read any more.",
      "GET /1 201 0/0", says=LOST)
def mptcp_two_subflows(cap):
    flow = first_subflow(cap)
    flow.exchange("/1", 201)
    second = join(cap)
    flow.send("c", get("/2"))
    second.send("s", answer(202))
    second.send("c", get("/3"))
    flow.send("s", answer(203))
    flow.conn.close()
    second.conn.close()


@case("A request whose response may be on the second subflow is not counted as unanswered.",
      says=LOST)
def mptcp_response_on_second_subflow(cap):
    flow = first_subflow(cap)
    flow.send("c", get("/1"))
    second = join(cap)
    second.send("s", answer(201))
    flow.conn.close()
    second.conn.close()


@case("A subflow of another connection changes nothing for this one.",
      "GET /1 201 0/0", "GET /2 202 0/0", says="1 subflows of MPTCP connections with several")
def mptcp_joins_another(cap):
    flow = first_subflow(cap)
    flow.exchange("/1", 201)
    second = join(cap, b"none")
    second.exchange("/unknown", 299)
    flow.exchange("/2", 202)
    flow.conn.close()
    second.conn.close()


@case("Without the handshake, the number of subflows is unknown.",
      says="1 subflows of MPTCP connections with several")
def mptcp_without_handshake(cap):
    flow = first_subflow(cap, handshake=False)
    flow.exchange("/1", 201)
    flow.conn.close()


@case("Version 0 computes tokens in another way, so the connection is muted.", says="1 subflows of MPTCP connections with several")
def mptcp_version_0(cap):
    flow = first_subflow(cap, version=0)
    flow.exchange("/1", 201)
    flow.conn.close()


@case("Another connection may use the ports of a muted subflow again.",
      "GET /1 201 0/0", "GET /again 200 0/0", says=LOST)
def mptcp_ports_used_again(cap):
    flow = first_subflow(cap)
    flow.exchange("/1", 201)
    second = join(cap)
    second.exchange("/2", 202)
    again = cap.open(SECOND, isn=(170000, 190000))
    again.c(get("/again"))
    again.s(answer(200))
    again.close()


@case("The server declines MPTCP: an ordinary TCP connection.", "GET /1 201 0/0")
def mptcp_declined(cap):
    conn = cap.conn()
    conn.send("c", flags=SYN, ack=0, option=capable())
    conn.send("s", flags=SYN | ACK)
    conn.send("c")
    conn.c(get("/1"))
    conn.s(answer(201))
    conn.close()
