"""What a peer finds comparing the pairs of docs/comparison.md.

    python known_differences.py NumPy|Polygraphy JSON

The JSON is a list of {policy, primary, candidate}, both sides as lists of outputs as the docs write them. Prints one line of
JSON: for each pair two verdicts, `match`, `mismatch` or `error`. NumPy's are those of np.allclose and of
np.testing.assert_allclose, over the only output; Polygraphy's are without and with infinities_compare_equal.
"""

import json
import re
import sys

import numpy as np

DTYPES = {"BOOL": "?", "FP16": "f2", "FP32": "f4", "FP64": "f8", "BYTES": "O"}
DTYPES |= {f"{name}{size * 8}": f"{kind}{size}" for kind, name in (("i", "INT"), ("u", "UINT")) for size in (1, 2, 4, 8)}


def answer(outputs):
    written = (re.fullmatch(r"(?:(\w+) = )?(\w+) (.*)", output).groups() for output in outputs)
    return {name or "y": np.array(json.loads(text), DTYPES[datatype]) for name, datatype, text in written}


def of_numpy(policy, primary, candidate):
    arguments = (candidate["y"], primary["y"], policy["rtol"], policy["atol"])
    return [verdict_of(lambda: np.allclose(*arguments)), verdict_of(lambda: np.testing.assert_allclose(*arguments))]


def verdict_of(compare):
    try:
        return "mismatch" if compare() is False else "match"
    except AssertionError:
        return "mismatch"
    except TypeError:
        return "error"


def of_polygraphy(policy, primary, candidate):
    import polygraphy_peer

    return [polygraphy_peer.compare(primary, candidate, policy, equal)[0] for equal in (False, True)]


peer = {"NumPy": of_numpy, "Polygraphy": of_polygraphy}[sys.argv[1]]
pairs = json.loads(sys.argv[2])
print(json.dumps([peer(pair["policy"], answer(pair["primary"]), answer(pair["candidate"])) for pair in pairs]))
