#!/usr/bin/env python3
"""Takes what examples/notify sends, for its tests: a webhook, or a mail server.

    sinks.py http|smtp [--closed] [ANSWER...]

The first line on stdout is the port on 127.0.0.1; each further line is a JSON object with what came. ANSWER is a status for
each request in turn (200 or 250 once they are used up), as in 503, or 429:2 with Retry-After: 2. With --closed connections
are refused until SIGUSR1.
"""

import http.server
import json
import signal
import socketserver
import sys
import time


def record(**entry):
    print(json.dumps(entry | {"time": time.monotonic()}), flush=True)


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, _, seconds = (self.server.answers.pop(0) if self.server.answers else "200").partition(":")
        record(status=int(status), path=self.path, authorization=self.headers["Authorization"], body=json.loads(body))
        self.send_response(int(status))
        if seconds:
            self.send_header("Retry-After", seconds)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        record(status=200, path=self.path, method="GET")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class MailServer(socketserver.StreamRequestHandler):
    """SMTP (RFC 5321), as far as a sender of one message needs it."""

    def handle(self):
        self.reply(220, "sink")
        receivers: list[str] = []
        while command := self.rfile.readline():
            word = command[:4].upper()
            if word == b"RCPT":
                receivers.append(command.decode().strip())
            if word == b"DATA":
                self.reply(354, "go on")
                lines = iter(lambda: self.rfile.readline(), b".\r\n")
                text = b"".join(line[1:] if line.startswith(b".") else line for line in lines).decode()
                status = int(self.server.answers.pop(0)) if self.server.answers else 250
                record(status=status, receivers=receivers, text=text)
                self.reply(status, "as told")
            elif word == b"QUIT":
                return self.reply(221, "bye")
            else:
                self.reply(250, "sink")

    def reply(self, code: int, text: str):
        self.wfile.write(f"{code} {text}\r\n".encode())


def main():
    kind, *answers = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    handler = {"http": Webhook, "smtp": MailServer}[kind]
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.daemon_threads = True
    server.server_bind()
    is_closed = "--closed" in answers
    server.answers = [answer for answer in answers if answer != "--closed"]
    if not is_closed:
        server.server_activate()
    print(server.server_address[1], flush=True)
    if is_closed:
        signal.sigwait([signal.SIGUSR1])
        server.server_activate()
    server.serve_forever()


if __name__ == "__main__":
    main()
