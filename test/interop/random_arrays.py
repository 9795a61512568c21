"""Random pairs of arrays, a primary's and a candidate's, with what makes comparing hard in some of them."""

import numpy as np

INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
V2_INTEGERS = {f"{kind}{size}": f"{name}{size * 8}" for kind, name in (("i", "INT"), ("u", "UINT")) for size in (1, 2, 4, 8)}


def any_shape(random):
    """A scalar up to four axes, empty now and then."""
    rank = random.integers(0, 5)
    return tuple(int(size) for size in random.choice([0, 1, 2, 3, 5, 8, 13], rank, p=[0.04, 0.16, 0.2, 0.2, 0.2, 0.1, 0.1]))


def any_floats(random, dtype, shape):
    """NaN, infinities, both zeros and subnormals are in two of five pairs, on one side or on both."""
    scale = 10.0 ** random.integers(-6, 4)
    primary = np.asarray(random.standard_normal(shape) * scale, dtype)
    noise = 10.0 ** random.integers(-8, 0)
    candidate = np.asarray(primary * (1 + random.standard_normal(shape) * noise * random.integers(0, 2, shape)), dtype)
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, np.finfo(dtype).smallest_subnormal]
    for side in (primary, candidate):
        if side.size and random.random() < 0.4:
            places = random.integers(0, side.size, 4)
            side.flat[places] = random.choice(np.array(odd, dtype), 4)
            if random.random() < 0.5:
                primary.flat[places[0]] = candidate.flat[places[0]] = random.choice(np.array(odd, dtype))
    return primary, candidate


def any_integers(random, dtype, shape):
    """Small ones mostly, else of the whole range; some three in ten differ."""
    info = np.iinfo(dtype)
    small = random.random() < 0.7
    low, high = (max(info.min, -100), 100) if small else (info.min, info.max)
    primary = random.integers(low, high, shape, dtype, endpoint=True)
    candidate = random.integers(low, high, shape, dtype, endpoint=True)
    return primary, np.asarray(np.where(random.random(shape) < 0.7, primary, candidate), dtype)
