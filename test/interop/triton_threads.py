"""Asks a gateway many questions at once, with NVIDIA's own client and raw, and holds every answer against the primary's.

    python triton_threads.py GATEWAY_HOST:PORT PRIMARY_HOST:PORT REQUESTS THREADS MODEL...

Prints one line of JSON: how many requests of each model ought to be captured, or not eligible and why; how many were
asked in all; and the first answers that differed. The primary is asked each question once, directly.
"""

import gzip
import http.client
import json
import sys
import threading

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

gateway, primary = sys.argv[1:3]
requests, threads = map(int, sys.argv[3:5])
models = sys.argv[5:]
images = [(np.arange(64, dtype=np.float32) * k % 17).reshape(1, 1, 8, 8) for k in (1, 3, 5)]
BODY = json.dumps(
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [3] * 64}]}
).encode()
# They tell of a moment or of one connection, not of the answer.
VARYING = {"date", "connection", "keep-alive", "transfer-encoding"}


def infer(model, image, binary=True, outputs=None, **options):
    def ask(client, _):
        tensor = triton.InferInput("image", list(image.shape), "FP32")
        tensor.set_data_from_numpy(image, binary_data=binary)
        try:
            result = client.infer(model, [tensor], outputs=outputs, **options)
        except InferenceServerException as error:
            return [error.status(), error.message()]
        said = result.get_response()
        return [said, [result.as_numpy(output["name"]).tobytes() for output in said["outputs"]]]

    return ask


def raw(method, path, body=None, headers=()):
    def ask(_, connection):
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in VARYING]
        return [response.status, kept, response.read()]

    return ask


def questions(model):
    """What is asked of one model, each with what ought to become of it."""
    path = f"/v2/models/{model}/infer"
    mixed = [
        triton.InferRequestedOutput("logits", binary_data=True),
        triton.InferRequestedOutput("probabilities", binary_data=False),
    ]
    for image in images:
        yield "captured", infer(model, image)
        yield "captured", infer(model, image, binary=False)
        yield "captured", infer(model, image, outputs=mixed)
        yield "captured", infer(model, image, request_compression_algorithm="gzip")
        yield "captured", infer(model, image, request_compression_algorithm="deflate")
        yield "captured", infer(model, image, response_compression_algorithm="gzip", request_id="one")
    yield "captured", infer(model, np.zeros((1, 1, 8, 9), np.float32))
    yield "captured", raw("POST", path, gzip.compress(BODY), [("Content-Encoding", "gzip")])
    yield "captured", raw("POST", f"/v2/models/{model}/versions/1/infer", BODY)
    yield "parse", raw("POST", path, b'{"inputs": [')
    yield "framing", raw("POST", path, BODY, [("Inference-Header-Content-Length", "99999")])
    yield "content_coding", raw("POST", path, BODY, [("Content-Encoding", "gzip")])
    yield None, raw("GET", f"/v2/models/{model}")
    yield None, raw("POST", "/v2/models/nobody/infer", BODY)


QUESTIONS = [(model, fate, ask) for model in models for fate, ask in questions(model)]


def clients(host):
    return triton.InferenceServerClient(host, network_timeout=120.0), http.client.HTTPConnection(host, timeout=120)


direct = clients(primary)
EXPECTED = [ask(*direct) for _, _, ask in QUESTIONS]

lock = threading.Lock()
fates = {model: {} for model in models}
differed = []
asked = 0


def work(thread):
    global asked
    through = clients(gateway)
    for number in range(thread, requests, threads):
        which = (number * 7 + thread) % len(QUESTIONS)
        model, fate, ask = QUESTIONS[which]
        try:
            answer = ask(*through)
        except Exception as error:  # whatever it is, it is a difference
            answer = repr(error)
        with lock:
            asked += 1
            if fate is not None:
                fates[model][fate] = fates[model].get(fate, 0) + 1
            if answer != EXPECTED[which] and len(differed) < 20:
                differed.append([which, str(answer)[:300], str(EXPECTED[which])[:300]])


running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
for one in running:
    one.start()
for one in running:
    one.join()
print(json.dumps({"asked": asked, "fates": fates, "differed": differed}))
