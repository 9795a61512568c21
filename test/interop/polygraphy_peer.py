"""Polygraphy's own comparator, without its log, and where it is known to differ."""

import warnings

import numpy as np
from polygraphy.comparator import IterationResult, SimpleCompareFunc
from polygraphy.logger import G_LOGGER

G_LOGGER.module_severity = G_LOGGER.CRITICAL
FLOATS = ("FP16", "BF16", "FP32", "FP64")
# What Polygraphy puts for a primary of 0.
EPSILON = 2.220446049250313e-16
# Beyond these float32 loses digits, or overflows.
SINGLE_MIN, SINGLE_MAX = 1e-37, 3e38


def compare(primary, candidate, policy, infinities_compare_equal=False):
    """Compares two answers, {name: array}, under a policy of the rule `polygraphy`.

    Returns the verdict, `match`, `mismatch` or `error`, and Polygraphy's results by output; none for an error. The
    candidate goes first: relative errors are over the second.
    """
    function = SimpleCompareFunc(
        atol=policy["atol"],
        rtol=policy["rtol"],
        check_error_stat=policy.get("statistic", "elemwise"),
        error_quantile=policy.get("quantile", 0.99),
        infinities_compare_equal=infinities_compare_equal,
    )
    sides = [IterationResult(side, runner_name=name) for side, name in ((candidate, "candidate"), (primary, "primary"))]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = function(*sides)
        except Exception:
            return "error", {}
    return "match" if all(found.values()) else "mismatch", found

def known_differences(finding, policy, infinities_compare_equal):
    """Names, as in docs/comparison.md, of what may make Polygraphy come to another verdict, or to other numbers."""
    p, c, errors, relative = finding.p, finding.c, finding.errors, finding.relative
    atol, rtol, name = policy["atol"], policy["rtol"], policy.get("statistic")
    is_float = finding.datatype in FLOATS
    infinite = np.isinf(finding.primary) | np.isinf(finding.candidate)
    hidden = (p == 0) & (errors > atol) & (errors <= 2 * rtol * EPSILON)
    applies = {
        "equal infinities": not infinities_compare_equal and (infinite & (finding.primary == finding.candidate)).any(),
        "wrapping integers": wraps(finding),
        "primary of 0": is_float and (((p == 0) & (c != 0)).any() if name else hidden.any()),
    }
    if name:
        applies |= {
            "infinity under a statistic": infinite.any(),
            "float32 arithmetic": errors.size > 0 and 0 < finding.statistic(policy)[0] < SINGLE_MIN,
            "integer 0 over 0": not is_float and ((p == 0) & (c == 0)).any(),
            "quantile beside infinity": name == "quantile" and (relative > SINGLE_MAX).any(),
            "empty output": finding.primary.size == 0,
            "BOOL and quantile": finding.datatype == "BOOL" and name == "quantile",
        }
    return [name for name, does in applies.items() if does]


def wraps(finding):
    """Polygraphy widens up to 16 bits, and UINT32; all else it subtracts as it is."""
    bits = {"INT32": 32, "INT64": 64}.get(finding.datatype)
    if bits:
        least = -(2 ** (bits - 1))
        return any(error >= -least for error in finding.exact_errors) or (finding.p == least).any()
    return finding.datatype == "UINT64" and (finding.c < finding.p).any()


def is_on_edge(finding, policy):
    """Whether rounding decides: Polygraphy reckons in float32 where the arrays are no finer, with means always."""
    found = [(finding.errors, finding.relative)] if finding.datatype in FLOATS else []
    if "statistic" in policy and finding.errors.size:
        found.append(finding.statistic(policy))
    return any(
        np.any(np.abs(np.subtract(of, tolerance)) <= 1e-5 * tolerance)
        for pair in found
        for of, tolerance in zip(pair, (policy["atol"], policy["rtol"]))
        if tolerance > 0
    )
