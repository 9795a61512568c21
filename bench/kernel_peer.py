"""A peer of the kernel benchmark: numpy, allclose or polygraphy, and the tolerances, the decades' beginnings.

Reads requests, a line of JSON each, and answers each with a line:
load    reads two tensors from files; aligned, in memory of their own
run     seconds of one call: the fastest of so many times, each of so many calls
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


class NumpyMetrics:
    """What the kernel measures under the rule `numpy`, in float64 as there.

    As fast as NumPy goes at it: what every element needs is written into memory that is kept between calls, and the
    histogram compares with the decades from the largest error down, which for errors near each other takes a tenth of
    what `searchsorted` takes.
    """

    def __init__(self):
        self.scratch = np.empty((6, 0))
        self.flags = np.empty(0, dtype=bool)

    def __call__(self, p, c):
        if self.flags.size != p.size:
            self.scratch = np.empty((6, p.size))
            self.flags = np.empty(p.size, dtype=bool)
        wide_p, wide_c, error, size, allowed, other = self.scratch
        flags = self.flags
        wide_p[:], wide_c[:] = p, c
        p, c = wide_p, wide_c
        nonfinite_p, nonfinite_c = (x.size - np.count_nonzero(np.isfinite(x, out=flags)) for x in (p, c))
        assert nonfinite_p == nonfinite_c == 0, "the benchmark's tensors are finite; others would need a mask"
        np.abs(np.subtract(c, p, out=error), out=error)
        np.abs(p, out=size)
        np.multiply(RTOL, size, out=allowed)
        if size.all():
            relative = np.divide(error, size, out=other).max()
        else:
            relative = (error[size != 0] / size[size != 0]).max()
        excess = np.subtract(error, allowed, out=other).max()
        mismatches = np.count_nonzero(np.greater(error, np.add(ATOL, allowed, out=other), out=flags))
        other[:] = error
        other.partition(error.size - 10)
        worst = np.flatnonzero(np.greater_equal(error, other[-10], out=flags))
        worst = worst[np.argsort(-error[worst], kind="stable")][:10]
        return {
            "mismatches": int(mismatches),
            "nonFinitePrimary": int(nonfinite_p),
            "nonFiniteCandidate": int(nonfinite_c),
            "maxAbs": float(error[worst[0]]),
            "maxRel": float(relative),
            "meanAbs": float(error.mean()),
            "rmse": float(np.sqrt(np.dot(error, error) / error.size)),
            "cosine": float(np.dot(p, c) / (np.sqrt(np.dot(p, p)) * np.sqrt(np.dot(c, c)))),
            "atolToPass": float(max(excess, 0)),
            "histogram": self.histogram(error, error[worst[0]]),
            "worst": [
                {"index": [int(i)], "primary": float(p[i]), "candidate": float(c[i]), "absError": float(error[i])}
                for i in worst
            ],
        }

    def histogram(self, error, largest):
        at_least = lambda start: int(np.count_nonzero(np.greater_equal(error, start, out=self.flags)))
        different = at_least(STARTS[0])
        place = int(np.searchsorted(STARTS, largest, side="right")) - 1
        decades, counted = [], 0
        while counted < different:
            pairs = at_least(STARTS[place]) - counted
            if pairs > 0:
                decades.insert(0, {"decade": LOWEST_DECADE + place, "pairs": pairs})
            counted += pairs
            place -= 1
        return {"equal": error.size - different, "decades": decades}


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


def seconds(p, c, times, calls):
    fastest = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        for _ in range(calls):
            call(p, c)
        fastest = min(fastest, (time.perf_counter() - start) / calls)
    return fastest


name = sys.argv[1]
call = {"numpy": NumpyMetrics, "allclose": lambda: allclose, "polygraphy": polygraphy_simple}[name]()
tensors = []
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "load":
        tensors = [np.fromfile(request[side], dtype=request["dtype"]) for side in ("primary", "candidate")]
        answer = {}
    elif request["do"] == "run":
        answer = {"seconds": seconds(*tensors, request["times"], request["calls"])}
    else:
        answer = {"result": call(*tensors)}
    print(json.dumps(answer), flush=True)
