"""A peer of the kernel benchmark: numpy, allclose or polygraphy, and the tolerances, the decades' beginnings.

Reads requests, a line of JSON each, and answers each with a line:
load    reads two tensors from files; aligned, in memory of their own
run     seconds of one call, after one that does not count (none when it is to be called once)
result  what the peer finds, for checking
"""

import json
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
ATOL, RTOL = json.loads(sys.argv[2])
STARTS = np.array(json.loads(sys.argv[3]))
LOWEST_DECADE = -20


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


def polygraphy_simple():
    """Polygraphy's own comparator; it takes the second of the two for the reference."""
    from polygraphy.comparator import CompareFunc, IterationResult
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    compare = CompareFunc.simple(rtol=RTOL, atol=ATOL)

    def polygraphy(p, c):
        candidate = IterationResult({"y": c}, runner_name="candidate")
        primary = IterationResult({"y": p}, runner_name="primary")
        result = compare(candidate, primary)["y"]
        return {"matches": bool(result), "maxAbs": result.max_absdiff, "meanAbs": result.mean_absdiff}

    return polygraphy


def seconds(p, c, repeats):
    if repeats > 1:
        call(p, c)
    start = time.perf_counter()
    for _ in range(repeats):
        call(p, c)
    return (time.perf_counter() - start) / repeats


name = sys.argv[1]
call = {"numpy": lambda: numpy_metrics, "allclose": lambda: allclose, "polygraphy": polygraphy_simple}[name]()
tensors = []
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "load":
        tensors = [np.fromfile(request[side], dtype=request["dtype"]) for side in ("primary", "candidate")]
        answer = {}
    elif request["do"] == "run":
        answer = {"seconds": seconds(*tensors, request["repeats"])}
    else:
        answer = {"result": call(*tensors)}
    print(json.dumps(answer), flush=True)
