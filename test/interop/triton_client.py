"""Asks the same questions through the gateway and of the primary directly, with NVIDIA's own client, and compares.

    python triton_client.py GATEWAY_HOST:PORT PRIMARY_HOST:PORT

Prints one line of JSON: the names of the cases that agreed, and what differed in the others. Answers must be equal to
the byte; only headers that name a moment or a connection may differ.
"""

import json
import sys

import numpy as np
import requests_raw
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

MODEL = "digits"
gateway, primary = sys.argv[1:3]
image = (np.arange(64, dtype=np.float32) % 17).reshape(1, 1, 8, 8)


def infer_input(binary, data=image):
    tensor = triton.InferInput("image", list(data.shape), "FP32")
    tensor.set_data_from_numpy(data, binary_data=binary)
    return tensor


def infer(**options):
    def ask(client):
        binary_input = options.get("binary_input", True)
        outputs = options.get("outputs")
        result = client.infer(
            MODEL,
            [infer_input(binary_input, options.get("data", image))],
            outputs=outputs,
            request_id=options.get("request_id", ""),
            request_compression_algorithm=options.get("compress"),
            response_compression_algorithm=options.get("accept"),
        )
        names = [output["name"] for output in result.get_response()["outputs"]]
        return [result.get_response(), {name: result.as_numpy(name).tobytes().hex() for name in names}]

    return ask


def failing(call):
    def ask(client):
        try:
            call(client)
        except InferenceServerException as error:
            return [error.status(), error.message()]
        raise AssertionError("this call should fail")

    return ask


def listed(name, binary, **options):
    return triton.InferRequestedOutput(name, binary_data=binary, **options)


CASES = {
    "server live": lambda client: client.is_server_live(),
    "server ready": lambda client: client.is_server_ready(),
    "server metadata": lambda client: client.get_server_metadata(),
    "model ready": lambda client: client.is_model_ready(MODEL),
    "model metadata": lambda client: client.get_model_metadata(MODEL),
    "model config": lambda client: client.get_model_config(MODEL),
    "binary in, all outputs": infer(),
    "json in, all outputs": infer(binary_input=False),
    "binary in, one output as json": infer(outputs=[listed("logits", False)]),
    "binary in, one output as binary": infer(outputs=[listed("logits", True)]),
    "json in, outputs mixed": infer(
        binary_input=False, outputs=[listed("logits", True), listed("probabilities", False)]
    ),
    "batch of 7": infer(data=np.repeat(image, 7, axis=0)),
    "request id": infer(request_id="interop-1"),
    "request gzip": infer(compress="gzip"),
    "request deflate": infer(compress="deflate"),
    "response gzip": infer(accept="gzip"),
    "response deflate": infer(accept="deflate"),
    "gzip both ways": infer(compress="gzip", accept="gzip"),
    "unknown model": failing(lambda client: client.infer("nobody", [infer_input(True)])),
    "unknown model metadata": failing(lambda client: client.get_model_metadata("nobody")),
    "wrong shape": failing(infer(data=np.zeros((1, 1, 8, 9), np.float32))),
    "unknown output": failing(infer(outputs=[listed("nothing", True)])),
}

agreed, differed = [], {}
through, direct = (triton.InferenceServerClient(url) for url in (gateway, primary))
for name, ask in CASES.items():
    got, wanted = ask(through), ask(direct)
    if got == wanted:
        agreed.append(name)
    else:
        differed[name] = {"gateway": str(got)[:500], "primary": str(wanted)[:500]}
for name, difference in requests_raw.compare(gateway, primary):
    if difference is None:
        agreed.append(name)
    else:
        differed[name] = difference
print(json.dumps({"agreed": agreed, "differed": differed}))
