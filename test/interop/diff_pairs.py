"""Writes random pairs of saved answers with NumPy, and what NumPy finds comparing them.

    python diff_pairs.py FOLDER COUNT SEED

Prints one line of JSON: a list of {left, right, dtype, rule, rtol, atol, expected}. Files are .npy, .npz (stored and
deflated) and V2 responses (JSON and binary). Numbers are judged as float64, 64-bit integers as Python's integers,
which is what the product promises; np.isclose gives the verdict. Non-finite numbers are strings.
"""

import json
import math
import pathlib
import sys

import numpy as np

from random_arrays import INTEGERS, V2_INTEGERS, any_floats, any_integers, any_shape

folder, count, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(seed)

FLOATS = ["f2", "f4", "f8"]
V2 = {"f2": "FP16", "f4": "FP32", "f8": "FP64", "?": "BOOL"} | V2_INTEGERS


def any_strings(kind, shape):
    words = np.array(["", "a", "cat", "dog"] if kind == "S" else ["", "a", "größe", "日本", "😀"], kind)
    return random.choice(words, shape), random.choice(words, shape)


def any_pair():
    dtype, shape = str(random.choice(FLOATS * 3 + INTEGERS + ["?", "S", "U"])), any_shape(random)
    if dtype in FLOATS:
        primary, candidate = any_floats(random, dtype, shape)
    elif dtype in INTEGERS:
        primary, candidate = any_integers(random, dtype, shape)
    elif dtype == "?":
        primary, candidate = random.random(shape) < 0.5, random.random(shape) < 0.5
    else:
        primary, candidate = any_strings(dtype, shape)
    return dtype, np.asarray(primary), np.asarray(candidate)


def laid_out(array):
    """The same array in some byte order and some memory order."""
    order = str(random.choice(["<", ">"]))
    return np.array(array, array.dtype.newbyteorder(order), order=str(random.choice(["C", "F"])))


def save(path, dtype, array):
    forms = ["npy", "npz", "compressed npz"]
    if dtype in V2:
        forms += ["binary", "json"] if dtype != "f2" else ["binary"]
    form = str(random.choice(forms))
    if form == "npy":
        path = path.with_suffix(".npy")
        np.save(path, laid_out(array))
    elif form.endswith("npz"):
        path = path.with_suffix(".npz")
        (np.savez if form == "npz" else np.savez_compressed)(path, data=laid_out(array))
    else:
        path = path.with_suffix(".v2")
        output = {"name": "data", "datatype": V2[dtype], "shape": array.shape}
        blob = array.astype(array.dtype.newbyteorder("<")).tobytes() if form == "binary" else b""
        body = {"parameters": {"binary_data_size": len(blob)}} if form == "binary" else {"data": array.ravel().tolist()}
        path.write_bytes(json.dumps({"outputs": [output | body]}).encode() + blob)
    return path.name


def plain(value):
    return value if value is None or math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN")


def of_numbers(primary, candidate, rtol, atol):
    p, c = primary.astype(np.float64), candidate.astype(np.float64)
    finite = np.isfinite(p) & np.isfinite(c)
    close = np.isclose(c, p, rtol=rtol, atol=atol)
    p, error = np.abs(p[finite]), np.abs(c[finite] - p[finite])
    relative = error[p != 0] / p[p != 0]
    return {
        "mismatches": int(np.sum(~close)),
        "maxAbs": plain(float(error.max())) if error.size else None,
        "maxRel": plain(float(relative.max())) if relative.size else None,
        "meanAbs": plain(float(error.mean())) if error.size else None,
        "rmse": plain(float(np.sqrt(np.mean(error**2)))) if error.size else None,
    }


def of_integers(primary, candidate, rtol, atol):
    pairs = [(int(p), int(c)) for p, c in zip(primary.flat, candidate.flat)]
    errors = [abs(c - p) for p, c in pairs]
    relatives = [float(abs(c - p)) / float(abs(p)) for p, c in pairs if p != 0]
    return {
        "mismatches": sum(abs(c - p) > atol + rtol * abs(p) for p, c in pairs),
        "maxAbs": float(max(errors)) if errors else None,
        "maxRel": max(relatives, default=None),
        "meanAbs": sum(errors) / len(errors) if errors else None,
        "rmse": math.sqrt(sum(error**2 for error in errors) / len(errors)) if errors else None,
    }


def expected_of(dtype, primary, candidate, rtol, atol):
    if dtype in ("S", "U"):
        return {"mismatches": int(np.sum(primary != candidate))}
    return (of_integers if dtype in ("i8", "u8") else of_numbers)(primary, candidate, rtol, atol)


def write_pair(index):
    dtype, primary, candidate = any_pair()
    rule = str(random.choice(["numpy", "numpy", "numpy", "exact"]))
    rtol = 0.0 if rule == "exact" else float(random.choice([0, 1e-5, 1e-3, 0.1]))
    atol = 0.0 if rule == "exact" else float(random.choice([0, 1e-8, 1e-3, 1]))
    with np.errstate(all="ignore"):
        expected = expected_of(dtype, primary, candidate, rtol, atol)
    return {
        "left": save(folder / f"{index}-primary", dtype, primary),
        "right": save(folder / f"{index}-candidate", dtype, candidate),
        "dtype": dtype,
        "rule": rule,
        "rtol": rtol,
        "atol": atol,
        "elements": int(primary.size),
        "expected": expected,
    }


with np.errstate(all="ignore"):
    print(json.dumps([write_pair(index) for index in range(count)], allow_nan=False))
