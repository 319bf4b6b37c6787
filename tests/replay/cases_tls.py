# SPDX-License-Identifier: Apache-2.0
"""TLS: captures of real clients and servers (record_tls.py), with the secrets that go with them."""
import os
import struct

from cases import case
from cases_http2 import CAPTURES, load

CURLS = ("GET /a 200 0/5", "GET /missing 404 0/2", "GET /b 200 0/5", "POST /c 200 5000/5",
         "GET /big 200 0/12000")
# Over HTTP/2 nginx answers before the upload comes.
CURLS_HTTP2 = CURLS[:3] + ("POST /c 200 0/5", CURLS[4])
ETHER, IP = 14, 20  # bytes of the headers in front of TCP's


def keylog(name):
    return ("--keylog", os.path.join(CAPTURES, name + ".keys"))


def payload(frame):
    """Where it is, in a packet that tcpdump took from lo."""
    return ETHER + IP + (frame[ETHER + IP + 12] >> 4) * 4


def is_server(frame):
    return struct.unpack(">H", frame[ETHER + IP:ETHER + IP + 2])[0] in (443, 444)


def with_data(cap, from_server):
    """The numbers of the packets of one side that carry data."""
    return [i for i, (_, frame, _, _) in enumerate(cap.packets)
            if is_server(frame) == from_server and len(frame) > payload(frame)]


def recut(cap):
    """Each segment in segments of cap.recut bytes."""
    packets, cap.packets = cap.packets, []
    for time_ns, frame, _, _ in packets:
        at = payload(frame)
        head, data = bytearray(frame[:at]), frame[at:]
        seq, = struct.unpack(">I", head[ETHER + IP + 4:ETHER + IP + 8])
        flags = head[ETHER + IP + 13]
        step = cap.recut if data else 1
        for i in range(0, max(len(data), 1), step):
            segment = data[i:i + step]
            head[ETHER + 2:ETHER + 4] = struct.pack(">H", at - ETHER + len(segment))
            head[ETHER + IP + 4:ETHER + IP + 8] = struct.pack(">I", (seq + i) % 2**32)
            # FIN and PSH belong to the last byte.
            is_last = i + step >= len(data)
            head[ETHER + IP + 13] = flags if is_last else flags & ~9
            cap.now_ns = time_ns
            cap.add_raw(bytes(head) + segment)


def tls(name, why, *want, capture=None, change=None, args=None, cut=1, **kw):
    """A capture with its secrets; `change` does something to its packets first."""
    capture = capture or name

    def build(cap):
        load(cap, capture)
        if change:
            change(cap)
        if cap.recut:
            recut(cap)
    build.__name__ = name
    case(why, *want, args=keylog(capture) if args is None else args, recut=cut, **kw)(build)


for suite in ("13_aes128", "13_aes256", "13_chacha20", "12_aes128", "12_aes256", "12_chacha20",
              "12_cbc", "12_cbc_sha384"):
    tls("tls_" + suite, "curl and nginx: keep-alive, an upload, a response of several records.",
        *CURLS)
for suite in ("12_ccm", "12_ccm8"):
    tls("tls_" + suite, "Two requests with that cipher.", "GET /a 200 0/5", "GET /b 200 0/5")
for suite in ("13_ccm", "13_ccm8"):
    tls("tls_" + suite, "openssl s_server: bodies end with the connection.",
        "GET /cert.pem 200 0/583", "GET /nowhere 200 0/274")
tls("tls_12_cbc_sha1", "The MAC is inside the encryption, as before RFC 7366.",
    "GET /a 200 0/5", "GET /b 200 0/5")
for version in ("12", "13"):
    tls("tls_%s_http2" % version, "ALPN chose h2.", *CURLS_HTTP2)
    tls("tls_%s_resumed" % version, "The second connection has no certificate.",
        "GET /a 200 0/5", "GET /b 200 0/5", "GET /c 200 0/5")
tls("tls_13_retry", "HelloRetryRequest, and a second ClientHello.", "GET /a 200 0/5")
tls("tls_13_early", "The first request is early data, which the server takes.",
    "GET /early 200 0/5", "GET /later 200 0/5")
tls("tls_13_early_rejected", "Early data that the server does not take was never a request.",
    "GET /later 200 0/5")
tls("tls_13_key_update", "Both sides change their keys between two requests.",
    "GET /a 200 0/5", "GET /b 200 0/5")
tls("tls_12_renegotiated", "A second handshake under the keys of the first.",
    "GET /a 200 0/5", "GET /b 200 0/5")
tls("tls_13_client_certificate", "The client sends a certificate, too.", "GET /a 200 0/5")
tls("tls_client_side", "The same from the client's end.", *CURLS, capture="tls_13_aes256",
    args=keylog("tls_13_aes256") + ("--side", "client"))


def behind_proxy_header(cap):
    """The client of each connection sends a PROXY header first, in a segment of its own."""
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"
    packets, cap.packets = cap.packets, []
    started = set()
    for time_ns, frame, _, _ in packets:
        ports = struct.unpack(">HH", frame[ETHER + IP:ETHER + IP + 4])
        port = ports[is_server(frame)]
        at = payload(frame)
        cap.now_ns = time_ns
        if port not in started and not is_server(frame) and len(frame) > at:
            started.add(port)
            head = bytearray(frame[:at])
            head[ETHER + 2:ETHER + 4] = struct.pack(">H", at - ETHER + len(header))
            cap.add_raw(bytes(head) + header)
        shifted = bytearray(frame)
        if port in started:
            place = ETHER + IP + (8 if is_server(frame) else 4)
            number, = struct.unpack(">I", frame[place:place + 4])
            shifted[place:place + 4] = struct.pack(">I", (number + len(header)) % 2**32)
        cap.add_raw(bytes(shifted))


tls("tls_behind_proxy_header", "A load balancer speaks before the client does.", *CURLS,
    capture="tls_13_aes128", change=behind_proxy_header)
tls("tls_behind_proxy_header_dark", "Without secrets it is said, there too.", args=(),
    capture="tls_13_aes128", change=behind_proxy_header,
    says="; lost: 2 TLS connections dark: no_secret")


# --- without the secrets, or without all packets -----------------------------------


tls("tls_no_keylog", "TLS without secrets: nothing is printed, and that is reported.",
    capture="tls_13_aes128", args=(), says="; lost: 2 TLS connections dark: no_secret")
tls("tls_other_keylog", "Secrets of other connections.", capture="tls_13_aes128",
    args=keylog("tls_12_aes128"), says="; lost: 2 TLS connections dark: no_secret")


def without_hello(cap):
    del cap.packets[:with_data(cap, False)[0] + 1]


tls("tls_joined", "The capture begins behind the ClientHello of the first connection.", *CURLS[3:],
    capture="tls_13_aes128", change=without_hello, says="1 TLS connections dark: joined")


def without_a_body_segment(cap):
    """One of the last packets of the server: of the large body."""
    large = [i for i in with_data(cap, True) if len(cap.packets[i][1]) > 4000]
    del cap.packets[large[-2]]


for suite in ("13_aes128", "13_chacha20", "12_aes256"):
    tls("tls_%s_missed_body" % suite, "Records are missing inside a body: their length is known.",
        *CURLS, capture="tls_" + suite, change=without_a_body_segment, cut=0,
        says="bytes that the capture missed")
tls("tls_12_cbc_missed_body", "In CBC mode the missing length is not known.", *CURLS[:4],
    capture="tls_12_cbc", change=without_a_body_segment, cut=0,
    says="1 TLS connections dark: gap")



def cut_to(length):
    def cut(cap):
        cap.packets = [(time_ns, frame[:length], wire, interface)
                       for time_ns, frame, wire, interface in cap.packets]
    return cut


tls("tls_short_snapshot", "The first record under a key has to be whole: the upload is none.",
    *CURLS[:3], capture="tls_13_aes128", change=cut_to(1000), cut=0,
    says=("1 TLS connections dark: gap", "bytes cut off by the snapshot length"))
