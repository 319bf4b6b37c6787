# SPDX-License-Identifier: Apache-2.0
"""The keys of a TLS connection's records, from its key log (RFC 8446 section 7.3, RFC 5246 section 6.3)."""
import hmac
import re
import ssl
import struct


class Connection:
    """What a client's context logs of one connection. Set it up before the handshake."""

    def __init__(self, context, keylog):
        self.keylog = keylog
        self.server_random = b""
        context.keylog_filename = str(keylog)
        context._msg_callback = self._on_message

    def _on_message(self, _connection, direction, _version, _content, kind, data):
        # A handshake header of four bytes and a version precede the random.
        if direction == "read" and kind == ssl._TLSMessageType.SERVER_HELLO:
            self.server_random = data[6:38]

    def secrets(self):
        """All that were logged, as in the log."""
        return set(re.findall(r"[0-9a-f]{64,}$", self.keylog.read_text(), re.M))

    def keys(self, cipher):
        """The keys of both directions, as hexadecimal digits; cipher: the name of an AES-GCM suite."""
        length = 32 if "256" in re.sub("SHA256", "", cipher) else 16
        hash_name = "sha384" if "SHA384" in cipher else "sha256"
        # Label, random of the client, secret.
        lines = re.findall(r"^(\w+) ([0-9a-f]{64}) ([0-9a-f]+)$", self.keylog.read_text(), re.M)
        logged = {label: bytes.fromhex(secret) for label, _, secret in lines}
        if cipher.startswith("TLS_"):
            secrets = [logged[f"{side}_TRAFFIC_SECRET_0"] for side in ("CLIENT", "SERVER")]
            return {_expand_label(s, b"key", length, hash_name).hex() for s in secrets}
        seed = b"key expansion" + self.server_random + bytes.fromhex(lines[0][1])
        block = _prf(logged["CLIENT_RANDOM"], seed, 2 * length, hash_name)
        return {block[:length].hex(), block[length:].hex()}


def _expand_label(secret, label, length, hash_name):
    info = struct.pack(">HB", length, 6 + len(label)) + b"tls13 " + label + b"\0\1"
    return hmac.digest(secret, info, hash_name)[:length]


def _prf(secret, seed, length, hash_name):
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, hash_name)
        out += hmac.digest(secret, a + seed, hash_name)
    return out[:length]
