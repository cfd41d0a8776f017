#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/elementary.txt: exact values of exp, log, pow, sine, cosine and fma.

One line a value, doubles and floats as the hexadecimal digits of their bits:
  exp X Y D        Y is the double nearest to e^X, D the exact value less Y in units in the last
  log X Y D        place of Y
  pow X Y Z D
  sincos X S C     floats: the ones nearest to the sine and the cosine of the float X
  fma A B C R      floats: R is the one nearest to A * B + C, of two the even one

  make_elementary.py                needs mpmath
  make_elementary.py --constants    prints the constants of src/common/elementary.c instead
"""
import math
import os
import random
import struct
import sys

import mpmath

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "elementary.txt")
mpmath.mp.prec = 300
mpf = mpmath.mpf
rng = random.Random(5)


def bits(x):
    return struct.pack(">d", x).hex()


def float_bits(x):
    return struct.pack(">f", x).hex()


def to_float(x):
    """A real number as the nearest f32; f32 has more than 2 bits less than half of a double."""
    m, e = mpmath.frexp(x)
    step = mpmath.ldexp(1, max(e - 24, -149))
    return float(mpmath.nint(x / step) * step)


def as_float(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def nearest(exact):
    """The nearest double, subnormal ones included, and what is left in its last place."""
    _, e = mpmath.frexp(exact)
    step = mpmath.ldexp(1, max(e - 53, -1074))
    near = mpmath.nint(exact / step)
    return float(near * step), float(exact / step - near)


def around(x, steps=(-1, 0, 1)):
    for n in steps:
        y = x
        for _ in range(abs(n)):
            y = math.nextafter(y, math.copysign(math.inf, n))
        yield y


def float_around(x):
    n = struct.unpack("I", struct.pack("f", x))[0]
    return [struct.unpack("f", struct.pack("I", n + d))[0] for d in (-1, 0, 1)]


def exp_arguments():
    yield from (0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1.0, -1.0, 0.5, 2.0, 88.0, -104.0)
    for e in (-300, -60, -54, -53, -52, -30, -10, -5):
        yield from (2.0**e, -(2.0**e))
    step = math.log(2) / 32
    for n in (-34000, -3200, -1000, -33, -32, -31, -17, -2, -1, 0, 1, 2, 16, 31, 32, 700, 32000):
        yield from around((n + 0.5) * step)
    yield from around(709.782712893384)
    yield from around(-708.3964185322641)
    yield from around(-745.1332191019411)
    for _ in range(40):
        yield rng.uniform(-745, -708)
        yield rng.uniform(-708, 709)
        yield rng.uniform(-1, 1)
    for _ in range(80):  # as the sampler: two logits and a temperature
        yield -as_float(rng.uniform(0, 12)) / as_float(rng.uniform(0.1, 1.5))


def log_arguments():
    yield from (1.0, 2.0, 0.5, 5e-324, 2.0**-1074 * 3, 2.0**-1022, 1.7976931348623157e308, 10.0)
    yield from (as_float(p) for p in (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.9))
    for n in (1, 2, 3, 1000, 10**6, 10**9):
        yield 1 + n * 2.0**-52
        yield 1 - n * 2.0**-53
    for e in (-1000, -1, 0, 1, 700):
        yield from around(math.sqrt(2) * 2.0**e)
    for e in (-1074, -1040, -300, -20, -3, 3, 20, 300, 1020):
        yield 2.0**e
    for _ in range(60):
        yield math.exp(rng.uniform(-745, 709))
        yield rng.uniform(0.68, 0.75)  # where the bound is closest
        yield rng.uniform(0.5, 2)
        yield as_float(rng.uniform(1, 70000))  # sums of weights


def pow_arguments():
    for theta in (1e4, 1e6, 5e5, 1e7, 3e38, 1e-38, 1e-45, 1.0, as_float(1.0000001), 2.0, 0.3):
        for dim in (2, 8, 64, 128):
            for i in sorted({0, 1, 2, dim // 4, dim // 2 - 1} & set(range(dim // 2))):
                yield as_float(theta), -2.0 * i / dim
    for _ in range(60):
        yield math.exp(rng.uniform(-80, 80)), rng.uniform(-1, 1)
    for _ in range(30):
        yield math.exp(rng.uniform(-4, 4)), rng.uniform(-150, 150)
    yield from ((2.0, -1074.0), (2.0, -1022.5), (2.0, 1023.5), (10.0, 308.0), (3.0, 1e-300),
                (1.5, 0.0), (1.5, -0.0), (5e-324, 0.5), (1.7e308, -1.0), (1.0, 1e300))


def angles():
    # Zero, subnormal, the smallest reduced one; what is closest to a multiple of pi / 2; the largest.
    yield from (0.0, -0.0, 1.4e-45, 1e-40, 1.1754944e-38, 16367173 * 2.0**72, 3.4028234663852886e38)
    yield from (-1.0, -2.0, -4.0, -6.0, -1e10, 1e-3, 1e-8)
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 1001, 65537, 2**20 + 1, 2**23 + 3):
        yield from float_around(n * math.pi / 4)
    for position in (1, 2, 3, 4095, 4096, 32767, 128000, 2**20, 2**24 - 1, 2**32 - 1):
        for i in (0, 1, 7, 16, 31):
            # The f32 product that the model takes.
            yield as_float(as_float(position) * as_float(1e6 ** (-2.0 * i / 64)))
    for e in range(1, 255, 4):
        yield struct.unpack("f", struct.pack("I", e << 23 | rng.getrandbits(23)))[0]
    yield from (struct.unpack("f", struct.pack("I", n))[0] for n in HARD)


# Floats whose sine or cosine is closest to the middle between two floats, of all floats.
HARD = (0x6115CB11, 0x59443C0A, 0x5F18B878, 0x73243F06, 0x7A4B1A27, 0x46199998, 0x55CAFB2A,
        0x5922AA80, 0x7908CD73, 0x67A9242B, 0x61703976, 0x3C107FE6)


def fma_arguments():
    """Sums on the middle between two floats, or so little beside it that a double does not show it,
    and random ones, from subnormal to large."""
    for scale in (-174, -151, -150, -150, -150, -149, -130, -40, 0, 60):
        for _ in range(8):
            u = rng.choice((0, 1, 2, 5, 300)) * 2.0**-23
            low = scale // 2  # the product is about 2^scale, half of c's last place
            c = rng.choice((-1, 1)) * math.ldexp(rng.getrandbits(rng.randint(10, 24)), scale + 1)
            if as_float(c) == c:
                yield math.ldexp(1 + u, low), math.ldexp(1 - u, scale - low), c
            a, b = (as_float(math.ldexp(rng.uniform(-2, 2), scale // 2)) for _ in range(2))
            yield a, b, as_float(math.ldexp(rng.uniform(-2, 2), scale + rng.randint(-30, 30)))


def line(name, arguments, exact):
    near, rest = nearest(exact) if exact != 0 else (0.0, 0.0)
    return " ".join([name] + [bits(x) for x in arguments] + [bits(near), f"{rest:.6f}"])


def golden():
    lines = ["# made by make_elementary.py"]
    for x in exp_arguments():
        if x < 709.7827128933841 and x > -745.133219101941:
            lines.append(line("exp", [x], mpmath.exp(mpf(x))))
    for x in log_arguments():
        lines.append(line("log", [x], mpmath.log(mpf(x))))
    for x, y in pow_arguments():
        lines.append(line("pow", [x, y], mpmath.power(mpf(x), mpf(y))))
    for x in map(as_float, angles()):
        s, c = to_float(mpmath.sin(mpf(x))), to_float(mpmath.cos(mpf(x)))
        lines.append(" ".join(["sincos", float_bits(x), float_bits(x if x == 0 else s), float_bits(c)]))
    for a, b, c in fma_arguments():
        assert all(as_float(x) == x for x in (a, b, c))
        exact = mpf(a) * mpf(b) + mpf(c)
        r = math.copysign(to_float(exact), exact)
        lines.append(" ".join(["fma"] + [float_bits(x) for x in (a, b, c, r)]))
    with open(OUT, "w") as f:
        f.write("\n".join(lines) + "\n")


def cut(x, n):
    """The upper n bits of a positive number, and the rest."""
    m, e = mpmath.frexp(x)
    hi = mpmath.ldexp(mpmath.floor(mpmath.ldexp(m, n)), e - n)
    return float(hi).hex(), float(x - hi).hex()


def constants():
    for i in range(32):
        t = mpf(2) ** (mpf(i) / 32)
        print(f"{{{float(t).hex()}, {float(t - mpf(float(t))).hex()}}},")
    print("32 / ln 2", float(32 / mpmath.log(2)).hex())
    print("ln 2 / 32", *cut(mpmath.log(2) / 32, 36))
    print("ln 2", *cut(mpmath.log(2), 42))
    print("sqrt 2", float(mpmath.sqrt(2)).hex())
    print("pi / 2", *cut(mpmath.pi / 2, 53))
    words = int(mpmath.floor(2 / mpmath.pi * mpf(2) ** 256))
    print("2 / pi", *(f"{words >> 32 * i & 0xFFFFFFFF:08X}" for i in range(7, -1, -1)))


constants() if "--constants" in sys.argv[1:] else golden()
