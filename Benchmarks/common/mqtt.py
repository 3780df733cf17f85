"""As much of MQTT 3.1.1 as a benchmark needs: CONNECT; PUBLISH with QoS 1 that waits for its PUBACK; and SUBSCRIBE."""

import socket
import struct
import threading
import time


def _string(text):
    return struct.pack("!H", len(text)) + text.encode()


def _packet(kind, body):
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 127
        length += bytes([digit | (128 if rest else 0)])
        if not rest:
            return bytes([kind]) + length + body


class Session:
    """A clean session."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(_packet(0x10, _string("MQTT") + b"\x04\x02\x00\x00" + _string("")))
        assert self._read(4)[3] == 0, "the broker refuses the connection"

    def _read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the broker closed the connection"
            data += piece
        return data

    def close(self):
        self.socket.close()


class Sender(Session):
    """Publishes."""

    number = 0

    def publish(self, topic, payload, retain=False):
        self.number = self.number % 65535 + 1
        body = _string(topic) + struct.pack("!H", self.number) + payload.encode()
        self.socket.sendall(_packet(0x33 if retain else 0x32, body))
        assert self._read(4)[0] == 0x40, "no PUBACK"


class Listener(Session):
    """Takes messages of `filters` with QoS 0. Each is kept in `messages`, in its order: when it came (time.monotonic), its
    topic, and its payload. Retained ones come first."""

    def __init__(self, port, *filters):
        super().__init__(port)
        self.messages = []
        body = struct.pack("!H", 1) + b"".join(_string(name) + b"\x00" for name in filters)
        self.socket.sendall(_packet(0x82, body))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        try:
            while True:
                kind, length, shift = self._read(1)[0], 0, 0
                while True:
                    digit = self._read(1)[0]
                    length |= (digit & 127) << shift
                    shift += 7
                    if digit < 128:
                        break
                body = self._read(length)
                if kind >> 4 == 3:
                    end = 2 + struct.unpack("!H", body[:2])[0]
                    self.messages.append((time.monotonic(), body[2:end].decode(), body[end:]))
        except (AssertionError, OSError):
            return  # It was closed.

    def close(self):
        # What waits in recv(2) for the next message wakes up by this.
        self.socket.shutdown(socket.SHUT_RDWR)
        super().close()
