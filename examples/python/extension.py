"""An extension on the standard library: python3 examples/python/extension.py [subject] [queue group]

Answers {"text": "Hi", "delay_ms": 0} with {"text": "HI", …}; a request without a text with a service error 400, the text "fail" with 500.
SIGTERM and SIGINT: no new requests; those in hand are answered; then it ends.
"""
import json
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from nats_client import Client

subject = sys.argv[1] if len(sys.argv) > 1 else "beamline.ext.pre.upper.v1"
queue = sys.argv[2] if len(sys.argv) > 2 else "upper"  # the processes of one extension share its requests
workers = ThreadPoolExecutor(max_workers=16)
stop = threading.Event()
client = Client()


def reject(message, code, description):
    """A service error. Below 500 it is the request's fault; from 500 on it is ours, and counts against our health."""
    body = json.dumps({"error": description}).encode()  # also for callers that do not read headers
    headers = {"Nats-Service-Error-Code": str(code), "Nats-Service-Error": description}
    client.publish(message.reply, body, headers=headers)


def read_request(body):
    """None where it is not an object with a text."""
    try:
        request = json.loads(body)
    except ValueError:
        return None
    return request if isinstance(request, dict) and isinstance(request.get("text"), str) else None


def answer(message):
    """Exactly one reply, whatever happens."""
    try:
        if message.headers.get("Extreg-Probe") == "1":  # an active check of the daemon
            return client.publish(message.reply)
        request = read_request(message.body)
        if request is None:
            return reject(message, 400, "text is missing")
        if request["text"] == "fail":
            return reject(message, 500, "asked to fail")
        time.sleep(request.get("delay_ms", 0) / 1000)
        body = {
            "text": request["text"].upper(),
            "version": message.headers.get("Extreg-Version"),
            "tenant": message.headers.get("Extreg-Tenant-Id"),
            "attempt": int(message.headers["Extreg-Attempt"]),
            "has_time": int(message.headers["Extreg-Timeout-Ms"]) > 0,
            "trace": message.headers.get("traceparent", "")[:35],
        }
        client.publish(message.reply, json.dumps(body).encode(), headers={"Example-Language": "python"})
    except Exception as error:  # a bug here is no reason to let the caller wait
        print(f"extension: {error!r}", file=sys.stderr, flush=True)
        reject(message, 500, "internal error")


for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, lambda *_: stop.set())
sid = client.subscribe(subject, lambda message: workers.submit(answer, message), queue)
client.flush()
print(f"answers on {subject} (queue group {queue})", flush=True)
while not stop.wait(0.1) and not client.closed.is_set():
    pass
if client.closed.is_set():
    sys.exit("the connection was lost")
client.unsubscribe(sid)
client.flush()  # all that the server sent before is in hand now
workers.shutdown(wait=True)
client.flush()  # and all answers are with the server
client.close()
print("drained", flush=True)
