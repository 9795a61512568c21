"""Raw requests, for what tritonclient hides: the answer's bytes, its status, and the order and case of its headers."""

import gzip
import http.client
import json

# They tell of a moment or of one connection, not of the answer.
VARYING = {"date", "connection", "keep-alive", "transfer-encoding"}
BODY = json.dumps(
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [3] * 64}]}
).encode()
PATH = "/v2/models/digits/infer"

CASES = {
    "raw json": ("POST", PATH, BODY, {"Content-Type": "application/json"}),
    "raw without a content type": ("POST", PATH, BODY, {}),
    "raw gzip": ("POST", PATH, gzip.compress(BODY), {"Content-Encoding": "gzip"}),
    "raw accept gzip": ("POST", PATH, BODY, {"Accept-Encoding": "gzip"}),
    "raw version": ("POST", "/v2/models/digits/versions/1/infer", BODY, {}),
    "malformed json": ("POST", PATH, b'{"inputs": [', {"Content-Type": "application/json"}),
    "header length beyond the body": ("POST", PATH, BODY, {"Inference-Header-Content-Length": "999999"}),
    "header length not a number": ("POST", PATH, BODY, {"Inference-Header-Content-Length": "-1"}),
    "empty post": ("POST", PATH, b"", {}),
    "wrong method": ("PUT", PATH, b"", {}),
    "unknown route": ("GET", "/v2/nothing/here", None, {}),
    "statistics of an unknown model": ("GET", "/v2/models/nobody/stats", None, {}),
}


def ask(host, method, path, body, headers):
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in VARYING]
        return {"status": response.status, "headers": kept, "body": response.read().hex()}
    finally:
        connection.close()


def compare(gateway, primary):
    """Yields (case, None) where both agree, else (case, what each said)."""
    for name, case in CASES.items():
        through, direct = ask(gateway, *case), ask(primary, *case)
        yield name, None if through == direct else {"gateway": str(through)[:500], "primary": str(direct)[:500]}
