"""As much of MQTT 3.1.1 as a benchmark needs to send: CONNECT, and PUBLISH with QoS 1 that waits for its PUBACK."""

import socket
import struct


def _string(text):
    return struct.pack("!H", len(text)) + text.encode()


def _packet(kind, body):
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 127
        length += bytes([digit | (128 if rest else 0)])
        if not rest:
            return bytes([kind]) + length + body


class Sender:
    """A clean session that publishes."""

    def __init__(self, port):
        self.number = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(_packet(0x10, _string("MQTT") + b"\x04\x02\x00\x00" + _string("")))
        assert self._read(4)[3] == 0, "the broker refuses the connection"

    def publish(self, topic, payload, retain=False):
        self.number = self.number % 65535 + 1
        body = _string(topic) + struct.pack("!H", self.number) + payload.encode()
        self.socket.sendall(_packet(0x33 if retain else 0x32, body))
        assert self._read(4)[0] == 0x40, "no PUBACK"

    def _read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the broker closed the connection"
            data += piece
        return data

    def close(self):
        self.socket.close()
