"""Random pairs of answers, and what NumPy in float64 and Polygraphy's comparator find comparing them.

    python compare_pairs.py COUNT SEED

Prints one line of JSON: a list of pairs. Each has both sides' bodies (V2, binary, in base64), the metrics that NumPy
finds, and `judgements`: a policy, what NumPy makes of it, and under the rule `polygraphy` what Polygraphy does,
with the known differences (docs/comparison.md) that may make it find otherwise. 64-bit integers are reckoned with as
Python's integers. Non-finite numbers are strings.
"""

import base64
import json
import struct
import sys

import numpy as np

import polygraphy_peer
from numpy_peer import Finding, plain
from random_arrays import V2_INTEGERS, any_floats, any_integers, any_shape

count, seed = int(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(seed)

FLOATS = {"FP16": "f2", "BF16": "f4", "FP32": "f4", "FP64": "f8"}
INTEGERS = {name: dtype for dtype, name in V2_INTEGERS.items()}


def any_pair():
    datatype, shape = str(random.choice([*FLOATS] * 3 + [*INTEGERS] + ["BOOL", "BYTES"])), any_shape(random)
    if datatype in FLOATS:
        primary, candidate = any_floats(random, FLOATS[datatype], shape)
        if datatype == "BF16":
            primary, candidate = as_bf16(primary), as_bf16(candidate)
    elif datatype in INTEGERS:
        primary, candidate = any_integers(random, INTEGERS[datatype], shape)
    elif datatype == "BOOL":
        primary = random.random(shape) < 0.5
        candidate = primary ^ (random.random(shape) < 0.1)
    else:
        words = np.array([b"", b"a", b"cat", b"\xff\xfe"], object)
        primary, candidate = random.choice(words, shape), random.choice(words, shape)
    return datatype, np.asarray(primary), np.asarray(candidate)


def as_bf16(array):
    """NumPy has no bfloat16: float32 numbers with the lower half of their bits cleared."""
    return np.asarray(array.view("u4") & np.uint32(0xFFFF0000)).view("f4")


def body_of(datatype, array):
    if datatype == "BYTES":
        blob = b"".join(struct.pack("<I", len(text)) + text for text in array.flat)
    elif datatype == "BF16":
        blob = (array.view("u4") >> 16).astype("<u2").tobytes()
    else:
        blob = array.astype(array.dtype.newbyteorder("<")).tobytes()
    output = {"name": "y", "datatype": datatype, "shape": array.shape, "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"outputs": [output]}).encode()
    return {"body": base64.b64encode(head + blob).decode(), "headerLength": len(head)}


def any_tolerances():
    atol, rtol = (float(random.choice([0, low, 1e-3, 0.1, 1, 10.0 ** random.uniform(-8, 0)])) for low in (1e-8, 1e-5))
    return {"atol": atol, "rtol": rtol}


def off_the_edge(finding, policy):
    while polygraphy_peer.is_on_edge(finding, policy):
        policy = policy | {name: policy[name] * 1.37 for name in ("atol", "rtol")}
    return policy


def with_polygraphy(judgement, finding, primary, candidate, infinities_compare_equal):
    policy = judgement["policy"]
    verdict, found = polygraphy_peer.compare({"y": primary}, {"y": candidate}, policy, infinities_compare_equal)
    peer = {"verdict": verdict, "known": polygraphy_peer.known_differences(finding, policy, infinities_compare_equal)}
    name = policy.get("statistic")
    if name and found and not peer["known"] and finding.p.size == finding.primary.size:
        peer |= {kind: plain(getattr(found["y"], f"{name}_{kind}diff")) for kind in ("abs", "rel")}
    return judgement | {"polygraphy": peer}


def judgements_of(datatype, primary, candidate):
    finding = Finding(datatype, primary, candidate)
    plain_numpy = {"rule": "numpy", "equalNan": bool(random.random() < 0.5)} | any_tolerances()
    elementwise = off_the_edge(finding, {"rule": "polygraphy"} | any_tolerances())
    judged = [(elementwise, False), (elementwise, True)]
    # Two of them, so that each has its share of both verdicts whatever the seed.
    for statistic in random.choice(["max", "mean", "median", "quantile"], 2, replace=False):
        quantile = {"quantile": float(random.choice([0.5, 0.9, 0.99]))} if statistic == "quantile" else {}
        policy = {"rule": "polygraphy", "statistic": str(statistic)} | quantile | any_tolerances()
        judged.append((off_the_edge(finding, policy), True))
    return finding.metrics(), [
        finding.judgement(plain_numpy),
        *(with_polygraphy(finding.judgement(policy), finding, primary, candidate, equal) for policy, equal in judged),
    ]


def judged_pair():
    datatype, primary, candidate = any_pair()
    pair = {"datatype": datatype, "shape": primary.shape, "metrics": {}}
    rule = {"rule": "numpy"} | any_tolerances()
    if random.random() < 0.04:
        candidate = candidate[np.newaxis]
        pair["judgements"] = [{"policy": rule, "mismatches": primary.size, "kind": "shape"}]
    elif datatype == "BYTES":
        mismatches = int(np.sum(primary != candidate))
        pair["judgements"] = [{"policy": rule, "mismatches": mismatches, "kind": "value" if mismatches else None}]
    else:
        pair["metrics"], pair["judgements"] = judgements_of(datatype, primary, candidate)
    return pair | {"primary": body_of(datatype, primary), "candidate": body_of(datatype, candidate)}


with np.errstate(all="ignore"):
    print(json.dumps([judged_pair() for _ in range(count)], allow_nan=False))
