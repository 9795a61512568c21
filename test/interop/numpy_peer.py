"""What NumPy in float64 finds comparing two arrays of numbers, under the rules `numpy` and `polygraphy`."""

import math

import numpy as np


class Finding:
    """Two arrays of numbers, of one shape, set side by side in float64; p and c below are those finite on both sides."""

    def __init__(self, datatype, primary, candidate):
        wide = primary.astype("f8").ravel(), candidate.astype("f8").ravel()
        self.is_exact = datatype in ("INT64", "UINT64")
        exact = [side.astype(object).ravel() for side in (primary, candidate)] if self.is_exact else wide
        finite = np.isfinite(wide[0]) & np.isfinite(wide[1])
        self.datatype = datatype
        self.primary, self.candidate = wide
        self.is_same = finite.all() and primary.tobytes() == candidate.tobytes()
        self.p, self.c = (side[finite] for side in wide)
        self.exact_errors = np.abs(exact[1][finite] - exact[0][finite])
        self.exact_sizes = np.abs(exact[0][finite])
        self.errors = self.exact_errors.astype("f8")
        self.sizes = np.abs(self.p)
        self.relative = np.where(self.errors == 0, 0.0, np.divide(self.errors, self.sizes))

    def metrics(self):
        errors = self.errors
        ratios = errors[self.sizes > 0] / self.sizes[self.sizes > 0]
        return {
            "nonFinitePrimary": int(np.sum(~np.isfinite(self.primary))),
            "nonFiniteCandidate": int(np.sum(~np.isfinite(self.candidate))),
            "maxAbs": plain(errors.max()) if errors.size else None,
            "maxRel": plain(ratios.max()) if ratios.size else None,
            "meanAbs": plain(errors.mean()) if errors.size else None,
            "rmse": plain(np.sqrt(np.mean(errors**2))) if errors.size else None,
            "cosine": self.cosine(),
        }

    def cosine(self):
        p, c = self.p, self.c
        if self.is_same and p.any():
            return 1.0
        squares = [float(np.sum(side**2)) for side in (p, c)]
        if not all(2**-960 <= square < math.inf for square in squares):
            return None
        return float(np.sum(p * c) / (math.sqrt(squares[0]) * math.sqrt(squares[1])))

    def non_finite_mismatches(self, equal_nan):
        """np.isclose has the say over pairs that are not finite; tolerances do not touch them."""
        odd = ~(np.isfinite(self.primary) & np.isfinite(self.candidate))
        return int(np.sum(~np.isclose(self.candidate[odd], self.primary[odd], equal_nan=equal_nan)))

    def judgement(self, policy):
        odd = self.non_finite_mismatches(policy.get("equalNan", False))
        atol, rtol = policy["atol"], policy["rtol"]
        if policy["rule"] == "polygraphy":
            beyond = (self.exact_errors > atol) & (self.relative > rtol)
        elif self.is_exact:
            beyond = self.exact_errors > atol + rtol * self.exact_sizes
        else:
            beyond = ~np.isclose(self.c, self.p, rtol, atol)
        mismatches = odd + int(np.sum(beyond.astype(bool)))
        found = {"policy": policy, "mismatches": mismatches, "kind": "value" if mismatches else None}
        if "statistic" in policy:
            absolute, relative = self.statistic(policy)
            found["kind"] = "value" if absolute is not None and absolute > atol and relative > rtol else None
            found["statistic"] = {"abs": plain(absolute), "rel": plain(relative)}
        return found | ({"kind": "non_finite"} if odd else {})

    def statistic(self, policy):
        """Of absolute and relative errors; None where there is no finite pair."""
        if not self.errors.size:
            return None, None
        function = {
            "max": np.max,
            "mean": np.mean,
            "median": np.median,
            "quantile": lambda errors: quantile(errors, policy["quantile"]),
        }[policy["statistic"]]
        return tuple(float(function(of)) for of in (self.errors, self.relative))


def quantile(errors, q):
    """np.quantile; beside an infinity, where NumPy's interpolation is NaN, the value or the infinity itself."""
    found = np.quantile(errors, q)
    return np.quantile(errors, q, method="higher") if np.isnan(found) else found


def plain(value):
    if value is None:
        return None
    value = float(value)
    return value if math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN")
