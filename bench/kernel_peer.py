"""The peers of the kernel benchmark. Reads requests, a line of JSON each, and answers each with a line.

load NAME DTYPE P C    reads both tensors from files; aligned, in memory of their own
run PEER NAME REPEATS  seconds of one call, after one that does not count (none when REPEATS is 1)
result PEER NAME       what the peer finds, for checking
"""

import json
import logging
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
ATOL, RTOL = json.loads(sys.argv[1])
STARTS = np.array(json.loads(sys.argv[2]))
LOWEST_DECADE = -20

tensors = {}


def numpy_metrics(p, c):
    """What the kernel measures under the rule `numpy`, in float64 as there, with as few passes as NumPy allows."""
    p, c = p.astype(np.float64), c.astype(np.float64)
    nonfinite_p, nonfinite_c = (int(x.size - np.count_nonzero(np.isfinite(x))) for x in (p, c))
    assert nonfinite_p == nonfinite_c == 0, "the benchmark's tensors are finite; others would need a mask"
    error = np.abs(c - p)
    size = np.abs(p)
    allowed = RTOL * size
    nonzero = size != 0
    relative = error / size if nonzero.all() else error[nonzero] / size[nonzero]
    counts = np.bincount(np.searchsorted(STARTS, error, side="right"), minlength=len(STARTS) + 1)
    tenth = np.partition(error, error.size - 10)[-10]
    worst = np.flatnonzero(error >= tenth)
    worst = worst[np.argsort(-error[worst], kind="stable")][:10]
    return {
        "mismatches": int(np.count_nonzero(error > ATOL + allowed)),
        "nonFinitePrimary": nonfinite_p,
        "nonFiniteCandidate": nonfinite_c,
        "maxAbs": float(error[worst[0]]),
        "maxRel": float(relative.max()),
        "meanAbs": float(error.mean()),
        "rmse": float(np.sqrt(np.dot(error, error) / error.size)),
        "cosine": float(np.dot(p, c) / (np.sqrt(np.dot(p, p)) * np.sqrt(np.dot(c, c)))),
        "atolToPass": float(max((error - allowed).max(), 0)),
        "histogram": {
            "equal": int(counts[0]),
            "decades": [{"decade": i + LOWEST_DECADE, "pairs": int(n)} for i, n in enumerate(counts[1:]) if n],
        },
        "worst": [
            {"index": [int(i)], "primary": float(p[i]), "candidate": float(c[i]), "absError": float(error[i])}
            for i in worst
        ],
    }


def allclose(p, c):
    return bool(np.allclose(c, p, rtol=RTOL, atol=ATOL))


def polygraphy(p, c):
    """Polygraphy's own comparator; it takes the second of the two for the reference."""
    result = COMPARE(RESULT({"y": c}, runner_name="candidate"), RESULT({"y": p}, runner_name="primary"))["y"]
    return {"matches": bool(result), "maxAbs": result.max_absdiff, "meanAbs": result.mean_absdiff}


PEERS = {"numpy": numpy_metrics, "allclose": allclose, "polygraphy": polygraphy}

try:
    from polygraphy.comparator import CompareFunc
    from polygraphy.comparator import IterationResult as RESULT
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    logging.disable()
    COMPARE = CompareFunc.simple(rtol=RTOL, atol=ATOL)
except ImportError:
    pass


def seconds(call, p, c, repeats):
    if repeats > 1:
        call(p, c)
    start = time.perf_counter()
    for _ in range(repeats):
        call(p, c)
    return (time.perf_counter() - start) / repeats


def answer(request):
    if request["do"] == "load":
        paths = request["primary"], request["candidate"]
        tensors[request["name"]] = [np.fromfile(path, dtype=request["dtype"]) for path in paths]
        return {}
    peer, pair = PEERS[request["peer"]], tensors[request["name"]]
    if request["do"] == "run":
        return {"seconds": seconds(peer, *pair, request["repeats"])}
    return {"result": peer(*pair)}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
