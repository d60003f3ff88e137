"""A caller on the standard library: python3 examples/python/caller.py <extension id>

Calls it with headers, as a request that it refuses, as one that it fails, with too little time, and one that does not exist.
"""
import json
import sys

from nats_client import Client

extension_id = sys.argv[1]
client = Client()


def call(request, extension=extension_id, timeout_ms=5000, headers=None):
    """One line about the one reply. We wait longer than the daemon: it answers when `Extreg-Timeout-Ms` is over."""
    given = {"Extreg-Timeout-Ms": str(timeout_ms), **(headers or {})}
    subject = f"extreg.v1.invoke.{extension}"
    reply = client.request(subject, json.dumps(request).encode(), given, timeout_ms / 1000 + 2)
    if "Extreg-Error" in reply.headers:  # the daemon's own word: an extension cannot send this header
        error = json.loads(reply.body)["error"]
        status = reply.headers["Nats-Service-Error-Code"]
        again = "may be repeated" if error["retryable"] else "must not be repeated blindly"
        return f"error {error['code']} {status}: {again}"
    if "Nats-Service-Error-Code" in reply.headers:  # the extension's word
        return f"refused {reply.headers['Nats-Service-Error-Code']}: {reply.headers['Nats-Service-Error']}"
    attempts, version = reply.headers["Extreg-Attempts"], reply.headers["Extreg-Version"]
    answer = json.loads(reply.body)
    return f"ok {version} in {attempts} attempt: {answer['text']} for {answer['tenant']}, trace {answer['trace']}"


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
print(call({"text": "hello"}, headers={"Extreg-Tenant-Id": "acme", "traceparent": TRACE}))
print(call({"no": "text"}))
print(call({"text": "fail"}))
print(call({"text": "slow", "delay_ms": 1500}, timeout_ms=300))
print(call({"text": "hello"}, extension="no_such_extension"))
client.flush()
client.close()
