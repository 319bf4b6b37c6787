# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as bytes: a connection's start, and requests that need no state."""
import struct


def frame(kind, flags, stream, payload):
    """RFC 9113 section 4.1"""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


# That the other end's have been received (RFC 9113 section 6.5).
SETTINGS_ACK = frame(4, 1, 0, b"")
# Of a client: its preface, no settings, and the acknowledgement of those to come.
START = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + SETTINGS_ACK


def request(stream, pad, path="/hello"):
    """GET in two frames; all header fields are literal (RFC 7541 section 6.2.2). path: short."""
    block = b"\x82\x86\x44" + bytes((len(path),)) + path.encode() + b"\x41\x01a\x00\x05x-pad"
    if pad < 127:
        block += bytes((pad,))
    else:
        block += bytes((127, (pad - 127) % 128 + 128, (pad - 127) // 128))
    block += b"p" * pad
    half = len(block) // 2
    return frame(1, 1, stream, block[:half]) + frame(9, 4, stream, block[half:])
