"""The NATS text protocol with headers, as far as an extension or a caller needs it, on the standard library alone.

One thread reads the socket and runs the callbacks; any thread may publish. A callback that takes long belongs into a
thread of its own. No TLS, no reconnecting: where the connection is lost, `closed` is set and every wait ends.
"""
import json
import os
import re
import socket
import threading
import uuid
from urllib.parse import urlsplit


class Message:
    def __init__(self, subject, reply, status, headers, body):
        self.subject, self.reply, self.status, self.headers, self.body = subject, reply, status, headers, body


class Client:
    def __init__(self, url=None, token=None):
        """`url`: nats://host:port; without them NATS_URL and NATS_TOKEN, else those of .extreg/daemon.json."""
        if url is None:
            url, token = os.environ.get("NATS_URL"), os.environ.get("NATS_TOKEN")
        if url is None:
            with open(".extreg/daemon.json", encoding="utf-8") as file:
                daemon = json.load(file)
            url, token = daemon["nats"], daemon["nats_token"]
        address = urlsplit(url)
        self.closed = threading.Event()
        self._socket = socket.create_connection((address.hostname, address.port or 4222), timeout=10)
        self._socket.settimeout(None)
        self._input = self._socket.makefile("rb")
        self._lock, self._pongs, self._subscriptions, self._last_sid = threading.Lock(), [], {}, 0
        self.info = json.loads(self._input.readline()[5:])  # INFO {…}: max_payload is in it
        options = {"verbose": False, "pedantic": False, "lang": "python", "version": "0", "protocol": 1,
                   "headers": True, "no_responders": True, **({"auth_token": token} if token else {})}
        self._send(b"CONNECT " + json.dumps(options).encode() + b"\r\n")
        threading.Thread(target=self._read, daemon=True).start()
        self.flush()

    def publish(self, subject, body=b"", reply="", headers=None):
        if headers is None:
            head, command = b"", b"PUB"
        else:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head, command = f"NATS/1.0\r\n{lines}\r\n".encode(), b"HPUB"
        sizes = ([len(head)] if head else []) + [len(head) + len(body)]
        words = [subject, *([reply] if reply else []), *map(str, sizes)]
        self._send(command + b" " + " ".join(words).encode() + b"\r\n" + head + body + b"\r\n")

    def subscribe(self, subject, callback, queue=""):
        """Returns an id for `unsubscribe`."""
        with self._lock:
            self._last_sid += 1
            sid = str(self._last_sid)
            self._subscriptions[sid] = callback
        self._send(f"SUB {subject} {queue + ' ' if queue else ''}{sid}\r\n".encode())
        return sid

    def unsubscribe(self, sid):
        """What the server has sent already still comes: `flush` returns after it."""
        self._send(f"UNSUB {sid}\r\n".encode())

    def request(self, subject, body=b"", headers=None, timeout=5.0):
        """The one reply; raises TimeoutError without one, ConnectionRefusedError where the subject has no subscriber."""
        inbox, replied, replies = f"_INBOX.{uuid.uuid4().hex}", threading.Event(), []
        sid = self.subscribe(inbox, lambda message: (replies.append(message), replied.set()))
        self.publish(subject, body, inbox, headers)
        replied.wait(timeout)
        self.unsubscribe(sid)
        self._subscriptions.pop(sid)
        if not replies:
            raise TimeoutError(f"no reply from {subject} within {timeout} s")
        if replies[0].status == "503" and not replies[0].body:
            raise ConnectionRefusedError(f"no subscriber on {subject}")
        return replies[0]

    def flush(self, timeout=10.0):
        """Returns when the server has handled all that was sent, and all that it had sent before has been called back."""
        pong = threading.Event()
        with self._lock:
            self._pongs.append(pong)
            self._socket.sendall(b"PING\r\n")
        if not pong.wait(timeout) or self.closed.is_set():
            raise ConnectionError("the server does not answer")

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, data):
        with self._lock:
            self._socket.sendall(data)

    def _read(self):
        try:
            for line in iter(self._input.readline, b""):
                self._take(line.decode().rstrip("\r\n"))
        except OSError:
            pass
        self.closed.set()
        for pong in self._pongs:
            pong.set()

    def _take(self, line):
        operation, *words = line.split(" ")
        if operation in ("MSG", "HMSG"):  # MSG subject sid [reply] size; HMSG subject sid [reply] size-of-headers size
            total, head = int(words[-1]), int(words[-2]) if operation == "HMSG" else 0
            data = self._input.read(total + 2)[:total]
            reply = words[2] if len(words) > (4 if operation == "HMSG" else 3) else ""
            status, headers = parse_headers(data[:head])
            callback = self._subscriptions.get(words[1])
            if callback:
                callback(Message(words[0], reply, status, headers, data[head:]))
        elif operation == "PING":
            self._send(b"PONG\r\n")
        elif operation == "PONG":
            self._pongs.pop(0).set()
        elif operation == "-ERR":
            print(f"nats: {line}", flush=True)


def parse_headers(block):
    """Status ('' without one) and headers by their names as spelled; of several lines with one name the last."""
    first, *lines = block.decode("utf-8", "replace").split("\r\n")
    status = re.match(r"NATS/1\.0 (\d{3})", first)
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return status.group(1) if status else "", {name: value.strip() for name, value in pairs}
