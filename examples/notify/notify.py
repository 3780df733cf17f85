#!/usr/bin/env python3
"""Tells of jobs that did not succeed, by a webhook (ntfy, Slack, Discord), by mail, or by both.

    notify.py [--all]        --all: also of those that succeeded

Settings come from the environment; README.md has them. `pip install 'paho-mqtt>=2.1'`.
"""

import email.message
import email.utils
import hashlib
import html
import http.client
import json
import os
import queue
import re
import smtplib
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions


class Unwanted(Exception):
    """The receiver understood the message and will never take it."""


def say(text: object):
    print(f"notify.py: {text}", file=sys.stderr, flush=True)


def setting(name: str, default: str = "") -> str:
    """A variable, or the first line of the file that NAME_FILE names."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().partition("\n")[0].strip()
    return os.environ.get(name) or default


def line(text: object, limit: int) -> str:
    """Text of others on one short line, without letters that control a screen or turn the direction of writing."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return text if len(text) <= limit else text[:limit - 1] + "…"


def texts(result: dict) -> tuple[str, str]:
    """A title, and what else there is to say."""
    title = f"{line(result.get('id', '?'), 128)}: {line(result.get('status', '?'), 20)}"
    worker, attempt = line(result.get("workerId", "?"), 128), line(result.get("attempt", "?"), 20)
    return title, f"{line(result.get('error', 'no error'), 600)} (worker {worker}, attempt {attempt})"


# --- Webhook --------------------------------------------------------------------------------------------------------


def ntfy(result: dict, topic: str) -> dict:
    title, text = texts(result)
    return {"topic": topic, "title": title, "message": text, "priority": 3 if result.get("status") == "success" else 4}


def slack(result: dict, _: str) -> dict:
    # Of the three letters <, > and & links and mentions are made there, as <!channel>.
    return {"text": html.escape("\n".join(texts(result)), quote=False), "mrkdwn": False, "unfurl_links": False}


def discord(result: dict, _: str) -> dict:
    plain = re.sub(r"([\\*_~`|<>\[\]()#@:-])", r"\\\1", "\n".join(texts(result)))
    return {"content": plain[:2000], "allowed_mentions": {"parse": []}}


SHAPES = {"ntfy": ntfy, "slack": slack, "discord": discord}


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it would turn the POST into a GET."""

    def redirect_request(self, *_):
        return None


def post(result: dict, payload: bytes):
    shape, url, headers = setting("NOTIFY_SHAPE", "ntfy"), setting("NOTIFY_URL"), {"Content-Type": "application/json"}
    # ntfy takes JSON at its root.
    root, _, topic = url.rpartition("/") if shape == "ntfy" else (url, "", "")
    if token := setting("NOTIFY_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(SHAPES[shape](result, topic)).encode()
    try:
        request = urllib.request.Request(root, body, headers, method="POST")
        urllib.request.build_opener(Stay).open(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        if error.code in (400, 413, 422):
            raise Unwanted(f"the webhook answers {error.code}") from None
        raise


def retry_after(error: Exception) -> float:
    """Seconds (RFC 9110, section 10.2.3): the server gives a number or a date."""
    text = error.headers.get("Retry-After", "") if isinstance(error, urllib.error.HTTPError) else ""
    try:
        seconds = float(text) if text[:1].isdigit() else email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError):
        seconds = 0
    return min(3600, max(0, seconds))


# --- Mail -----------------------------------------------------------------------------------------------------------


def mail(result: dict, payload: bytes):
    security, user, sender = setting("SMTP_TLS", "starttls"), setting("SMTP_USERNAME"), setting("MAIL_FROM")
    title, text = texts(result)
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = title, sender, setting("MAIL_TO")
    message["Date"], message["Auto-Submitted"] = email.utils.formatdate(), "auto-generated"
    # The same for the same result, so that a repetition can be told.
    message["Message-ID"] = f"<{hashlib.sha256(payload).hexdigest()[:32]}@{sender.rpartition('@')[2].strip('>')}>"
    message.set_content(f"{text}\n")
    port = int(setting("SMTP_PORT", "465" if security == "tls" else "587"))
    tls = ssl.create_default_context()
    where = (setting("SMTP_HOST"), port)
    with smtplib.SMTP_SSL(*where, timeout=30, context=tls) if security == "tls" else smtplib.SMTP(*where, timeout=30) as server:
        if security == "starttls":
            server.starttls(context=tls)
        if user:
            server.login(user, setting("SMTP_PASSWORD"))
        try:
            for address, (code, _) in server.send_message(message).items():
                say(f"the mail server refuses {address}: {code}")
        except smtplib.SMTPDataError as error:
            if error.smtp_code < 500:
                raise
            raise Unwanted(f"the mail server answers {error.smtp_code}") from None


# --- Results --------------------------------------------------------------------------------------------------------


def insist(send, result: dict, payload: bytes):
    """Tries until it is sent, with pauses that grow to five minutes: nothing is lost while somebody mends a setting."""
    wait = 1.0
    while True:
        try:
            return send(result, payload)
        except Unwanted as error:
            return say(f"{line(result.get('id'), 128)} is left out: {error}")
        except (OSError, http.client.HTTPException) as error:
            pause = max(wait, retry_after(error))
            # No error of these shows the URL, which is a secret.
            say(f"{send.__name__}: {line(error, 200)}; trying again in {pause:.0f} s")
            time.sleep(pause)
            wait = min(wait * 2, 300)


class Results:
    """Results from the broker, one at a time, which keeps each until it is acknowledged."""

    def __init__(self):
        self.arrived: queue.Queue = queue.Queue()
        self.connection = 0
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, setting("NOTIFY_CLIENT_ID", "notify"), protocol=mqtt.MQTTv5, manual_ack=True)
        self.client.on_connect, self.client.on_disconnect = self.connected, self.disconnected
        self.client.on_connect_fail = lambda *_: say("the broker does not answer; trying again until it does")
        self.client.on_subscribe = lambda client, data, mid, reasons, properties: [
            say(f"the broker refuses the subscription: {reason}") for reason in reasons if reason.is_failure]
        self.client.on_message = lambda client, data, message: self.arrived.put((self.connection, message))
        if username := setting("MQTT_USERNAME"):
            self.client.username_pw_set(username, setting("MQTT_PASSWORD"))
        if ca := setting("MQTT_CA_CERTS"):
            self.client.tls_set(ca)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval, session.ReceiveMaximum = 7 * 86400, 1
        host, port = setting("MQTT_BROKER", "localhost"), int(setting("MQTT_PORT", "1883"))
        self.client.connect_async(host, port, clean_start=False, properties=session)
        self.client.loop_start()

    def connected(self, client, userdata, flags, reason, properties):
        if reason.is_failure:
            return say(f"the broker refuses the connection: {reason}")
        self.connection += 1
        # Retained results are no news.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        results = setting("MQTT_RESULTS_TOPIC", "jobs/results")
        client.subscribe([(f"{results}/+", options), (results[:results.rfind("/") + 1] + "rejected", options)])

    def disconnected(self, client, userdata, flags, reason, properties):
        self.connection += 1
        say(f"the connection to the broker ended: {reason}")

    def __iter__(self):
        """Each payload, which is acknowledged when the next one is asked for."""
        told = None
        while True:
            connection, message = self.arrived.get()
            this = (message.topic, message.payload)
            # What a broken connection left unacknowledged comes again.
            if not (message.dup and this == told):
                yield message.payload
            told = this
            if connection == self.connection:
                self.client.ack(message.mid, message.qos)


def check():
    """Ends the program if a setting cannot be right; no value is shown, for it may be a secret."""
    wrong = {
        "set NOTIFY_URL, SMTP_HOST, or both": not (setting("NOTIFY_URL") or setting("SMTP_HOST")),
        "NOTIFY_URL must be a URL with http:// or https://":
            setting("NOTIFY_URL") and not re.fullmatch(r"https?://[!-~]+/[!-~]*", setting("NOTIFY_URL")),
        "NOTIFY_SHAPE must be ntfy, slack or discord": setting("NOTIFY_SHAPE", "ntfy") not in SHAPES,
        "mail needs MAIL_FROM and MAIL_TO": setting("SMTP_HOST") and not (setting("MAIL_FROM") and setting("MAIL_TO")),
        "SMTP_TLS must be starttls, tls or none": setting("SMTP_TLS", "starttls") not in ("starttls", "tls", "none"),
        "no password is sent without TLS: change SMTP_TLS": setting("SMTP_TLS") == "none" and setting("SMTP_USERNAME"),
    }
    for sentence in filter(wrong.get, wrong):
        sys.exit(f"notify.py: {sentence}")


def main():
    if sys.argv[1:] not in ([], ["--all"]):
        sys.exit(__doc__)
    check()
    ways = [way for way, name in ((post, "NOTIFY_URL"), (mail, "SMTP_HOST")) if setting(name)]
    for payload in Results():
        try:
            result = json.loads(payload)
            is_wanted = "--all" in sys.argv or result.get("status") != "success"
        except (ValueError, AttributeError, RecursionError):
            say("a message is no result, and is left out")
            continue
        for way in ways if is_wanted else ():
            insist(way, result, payload)


if __name__ == "__main__":
    main()
