"""A key that is easy to find, a search that finds it in every disguise, and the emulator that takes it.

The same key and the same disguises as in src/scan.rs and node/output.mjs.
"""

import base64
import json
import subprocess
import urllib.request

# Holds what JSON escapes, what URLs encode, and what shells and formats trip over.
KEY = 'sk-5eCr3tQ/+%"\\&=~Zq9'
# Of a proxy.
PASSWORD = "hUnt3rTwo"
# Of an account, which only reconcile takes.
TOKEN = 'acc0unt-7oK3nCoR3/+%"\\&=~Wx8'
TOKEN_CORE = "7oK3nCoR3"
# A part of the key that looks the same wherever it stands: escapes and encodings touch only what is around it.
CORE = "5eCr3tQ"


def _needles():
    """What must not be found; in base64 a text looks different at each of three offsets."""
    found = [PASSWORD, KEY.encode().hex(), TOKEN.encode().hex()]
    for core in (CORE, TOKEN_CORE):
        found += [core, "".join(f"\\u{ord(c):04x}" for c in core), str(list(core.encode()))[1:-1]]
    for secret in (KEY, PASSWORD, TOKEN):
        for offset in range(3):
            coded = base64.b64encode(b" " * offset + secret.encode()).decode().rstrip("=")
            found.append(coded[offset + 1:-2])
    return found


NEEDLES = _needles()


def leak(text):
    """What stands around a secret in this text, or None."""
    for needle in NEEDLES:
        at = text.find(needle)
        if at >= 0:
            return f"…{text[max(0, at - 80):at + 80]!r}"
    return None


# A server that repeats the key: as it is, in JSON's escapes, quoted twice, as a name, in a page.
ECHOES = [
    json.dumps({"error": {"message": f"Invalid token {KEY}", "type": "new_api_error", "code": KEY}}),
    '{"error":{"message":"' + "".join(f"\\u{ord(c):04x}" for c in KEY) + '"}}',
    json.dumps({"code": "fail_to_fetch_task", "message": json.dumps({"Authorization": f"Bearer {KEY}"}), "data": None}),
    json.dumps({"code": "success", "data": {"task_id": "task_1", "status": "FAILURE", "fail_reason": KEY, "data": {KEY: KEY}}}),
    json.dumps({"id": "task_1", "status": KEY, "model": KEY, "data": [{"id": KEY}]}),
    f"<html>{KEY}</html>",
]
ECHO_HEADERS = {
    "X-Oneapi-Request-Id": KEY, "ETag": f'"{KEY}"', "Location": f"http://evil.example/{KEY}", "Content-Type": KEY,
}


class Emulator:
    """The emulator as a program that takes KEY; it ends with us, however we end."""

    def __init__(self, program):
        command = [program, "--port", "0", "--second-port", "0", "--api-key", KEY, "--exit-with-stdin", "--quiet", "--time-scale", "600"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.origin = self.process.stdout.readline().split()[-1]
        self.second = self.process.stdout.readline().split()[-1]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}/__emulator/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def scenario(self, **scenario):
        self.call("PUT", "scenario", scenario)

    def requests(self):
        answer = self.call("GET", "requests")
        return answer["requests"] if isinstance(answer, dict) else answer
