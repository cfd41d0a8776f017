# SPDX-License-Identifier: Apache-2.0
"""Reference data of the block formats.

    python make_quant.py [--ggml LIBRARY]

writes quant/decode.bin (values that gguf-py gives for random blocks of every type) and, when a shared
library of ggml (libggml-base.so) is named, quant/encode.bin and quant/encode_rare.bin (rows and the bytes
that it makes of them without an importance matrix) and quant/encode_weighted.bin (the same with one). Needs
numpy and gguf.

The files are sequences of records, all numbers little-endian:
  decode.bin: u32 type, u32 values n, u32 bytes, the blocks, n f32 values
  encode*.bin: first u32 n and n f32 values; then per type u32 type, u32 bytes, the blocks
  encode_weighted.bin: the same, with the f32 weights of the columns of a row after the values
"""
import argparse
import ctypes
import pathlib
import struct

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

HERE = pathlib.Path(__file__).resolve().parent / "quant"
TYPES = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.IQ4_XS,
         T.MXFP4, T.Q2_K, T.Q3_K, T.IQ2_XXS, T.IQ2_XS, T.IQ2_S, T.IQ3_XXS, T.IQ3_S, T.IQ1_S, T.IQ1_M, T.NVFP4]
# Byte offsets of the f16 scales and mins in a block.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.IQ2_XXS: [0], T.IQ2_XS: [0],
          T.IQ2_S: [0], T.IQ3_XXS: [0], T.IQ3_S: [0], T.IQ1_S: [0]}
# Zeros, smallest and largest subnormal, smallest normal, one, largest, infinity, NaN, and negatives.
EDGES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x8400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01]
COLS = 1024
ENCODED = [T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q6_K, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q2_K, T.Q3_K, T.IQ4_NL, T.IQ4_XS, T.Q4_1]
WEIGHTED = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q6_K, T.Q4_K, T.Q5_K, T.Q2_K, T.Q3_K, T.IQ4_NL, T.IQ4_XS, T.Q8_0]
# Codebook entries, indexes in a block.
INDEXES = {T.IQ2_XXS: (256, 32), T.IQ2_XS: (512, 32), T.IQ2_S: (1024, 32), T.IQ3_XXS: (256, 64), T.IQ3_S: (512, 64),
           T.IQ1_S: (2048, 32), T.IQ1_M: (2048, 32)}


def put(fields, shift, width, values):
    """Sets bits shift.. of each field."""
    mask = fields.dtype.type(((1 << width) - 1) << shift)
    fields[...] = (fields & ~mask) | ((values.astype(fields.dtype) << shift) & mask)


def index_blocks(rng, kind):
    """Random blocks; every index and 7-bit sign code occurs before the last len(EDGES) ones."""
    entries, per_block = INDEXES[kind]
    n = max(8, entries // per_block) + len(EDGES)
    out = rng.integers(0, 256, (n, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8)
    index = np.resize(rng.permutation(entries), (n, per_block))
    signs = np.resize(rng.permutation(128), (n, 32))
    low_at = 0 if kind == T.IQ1_M else 2
    low = out[:, low_at:low_at + per_block]
    if kind == T.IQ2_XXS:
        groups = np.ascontiguousarray(out[:, 2:]).reshape(n, 8, 8)
        groups[:, :, :4] = index.reshape(n, 8, 4)
        word = groups[:, :, 4:].copy().view("<u4").reshape(n, 8)
        for v in range(4):
            put(word, 7 * v, 7, signs.reshape(n, 8, 4)[:, :, v])
        groups[:, :, 4:] = word[..., None].view(np.uint8)
        out[:, 2:] = groups.reshape(n, -1)
    elif kind == T.IQ2_XS:
        out[:, 2:66] = (index | signs << 9).astype("<u2").view(np.uint8)
    elif kind == T.IQ3_XXS:
        low[...] = index
        word = out[:, 66:].copy().view("<u4")
        for v in range(4):
            put(word, 7 * v, 7, signs.reshape(n, 8, 4)[:, :, v])
        out[:, 66:] = word.view(np.uint8)
    else:
        low[...] = index & 255
        at, count, dtype, step = {T.IQ2_S: (66, 4, "u1", 2), T.IQ3_S: (66, 8, "u1", 1), T.IQ1_S: (34, 4, "<u2", 3),
                                  T.IQ1_M: (32, 2, "u1", 4)}[kind]
        upper = out[:, at:at + per_block // count * np.dtype(dtype).itemsize].copy().view(dtype)
        for v in range(count):
            put(upper, step * v, min(step, 3), (index >> 8).reshape(n, -1, count)[:, :, v])
        out[:, at:at + upper.shape[1] * upper.itemsize] = upper.view(np.uint8)
    if kind == T.IQ1_M:  # a nibble of the f16 scale on top of each word of scales
        d = rng.normal(0, 0.05, n).astype(np.float16).view(np.uint16)
        d[-len(EDGES):] = EDGES
        words = out[:, 48:].copy().view("<u2")
        for w in range(4):
            put(words[:, w], 12, 4, d >> 4 * w)
        out[:, 48:] = words.view(np.uint8)
    return out


def blocks(rng, kind):
    if kind == T.F32:
        return rng.integers(0, 256, 4 * 64, np.uint8)
    if kind in (T.F16, T.BF16):
        edges = [(s << 15) | (e << m) | f for m in ((10, 7)[kind == T.BF16],) for s in (0, 1)
                 for e in sorted({0, 1, (1 << (15 - m)) // 2, (1 << (15 - m)) - 2, (1 << (15 - m)) - 1})
                 for f in (0, 1, 1 << (m - 1), (1 << m) - 1)]
        return np.concatenate([np.array(edges, np.uint16), rng.integers(0, 65536, 200, np.uint16)]).view(np.uint8)
    per_block, size = gguf.GGML_QUANT_SIZES[kind]
    n = 256 if kind == T.MXFP4 else 40 if per_block == 32 else 20
    out = rng.integers(0, 256, (n, size), np.uint8)
    if kind == T.MXFP4:
        out[:, 0] = np.arange(256)  # every scale
    if kind == T.NVFP4:
        out = rng.integers(0, 256, (64, size), np.uint8)
        out[:, :4] = np.arange(256).reshape(64, 4)
    if kind in INDEXES:
        out = index_blocks(rng, kind)
        n = len(out)
    for at in HALVES.get(kind, []):
        out[:, at:at + 2] = rng.normal(0, 0.05, n).astype(np.float16).view(np.uint8).reshape(n, 2)
        where = np.arange(n)[-len(EDGES):] if kind in INDEXES else rng.permutation(n)[:len(EDGES)]
        out[where, at:at + 2] = np.array(EDGES, np.uint16).view(np.uint8).reshape(-1, 2)
    return out.reshape(-1)


def write_decode(path):
    rng = np.random.default_rng(20)
    with open(path, "wb") as f, np.errstate(all="ignore"):
        for kind in TYPES:
            raw = blocks(rng, kind)
            values = gguf.dequantize(raw, kind).astype("<f4").reshape(-1)
            f.write(struct.pack("<III", int(kind), len(values), len(raw)) + raw.tobytes() + values.tobytes())


def rows():
    """Rows with what decides between encoders: ties, equal magnitudes, empty and one-valued groups, wide ranges."""
    rng = np.random.default_rng(21)
    x = rng.standard_normal((16, COLS)).astype(np.float32)
    x[1] *= 0.02
    x[2] = rng.uniform(-1, 1, COLS)
    x[3] = rng.laplace(0, 1, COLS)
    x[4] = rng.standard_t(2, COLS).clip(-500, 500)
    x[5] = np.exp(rng.normal(0, 4, COLS)).clip(0, 60000) * rng.choice([-1, 1], COLS)
    x[6] = rng.integers(-8, 9, COLS)        # exact ties and equal magnitudes of both signs
    x[7] = rng.integers(-2, 3, COLS) * 0.5
    x[8] = 0
    x[9] = np.where(rng.random(COLS) < 0.03, rng.standard_normal(COLS), 0)
    x[10] = np.repeat(rng.standard_normal(COLS // 32), 32)
    x[11] = rng.standard_normal(COLS) * np.repeat(10.0 ** rng.integers(-9, 3, COLS // 16), 16)
    x[12] = rng.standard_normal(COLS) * 1e-7  # subnormal scales
    x[13] = rng.standard_normal(COLS) * 1e-15
    x[14] = np.abs(rng.standard_normal(COLS))
    x[15] = rng.integers(-254, 255, COLS) * 0.5
    # Skewed values, whose best minimum lies well inside them, and tiny ones beside others.
    more = np.random.default_rng(22)
    y = np.stack([np.exp(more.normal(0, 2, COLS)) * more.choice([-1, 1], COLS), -np.exp(more.normal(0, 2, COLS)),
                  more.standard_t(1.5, COLS).clip(-500, 500),
                  more.standard_normal(COLS) * np.repeat(10.0 ** more.integers(-42, -2, COLS // 32), 32)])
    return np.concatenate([x, y]).astype(np.float32)


def rare_rows():
    """Rows that decide between Q2_K, Q3_K and IQ4 encoders in rare cases; the seeds were searched for them."""
    def random(seed):
        return np.random.default_rng(seed)
    return np.stack([5 + random(1).standard_normal(COLS) * 0.01,  # a fit whose determinant is negative by rounding
                     random(446).uniform(-1, 1, COLS),            # a group that a sixth round would improve
                     random(110).standard_normal(COLS),           # values close to the middle between two numbers
                     random(10959).uniform(-1, 1, COLS),          # values exactly in the middle, for the final scale
                     random(0).integers(-8, 9, COLS)]).astype(np.float32)  # and for the scales that are tried


def weighted_rows():
    """Rows and weights of their columns: usual ones, equal ones, zeros and a wide range."""
    rng = np.random.default_rng(77)
    x = np.concatenate([rows()[::4], rng.normal(0, 0.05, (4, COLS)).astype(np.float32)])
    weights = rng.normal(0, 1, COLS).astype(np.float32) ** 2
    weights[256:288] = 1
    weights[320:352] = 0
    weights[512:640] *= np.float32(10) ** rng.integers(-6, 6, 128).astype(np.float32)
    return np.ascontiguousarray(x), weights


def write_encode(path, library, x, kinds, weights=None):
    """Rows, then the blocks that ggml_quantize_chunk of a ggml library makes of them: what llama-quantize calls."""
    ggml = ctypes.CDLL(library)
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    with open(path, "wb") as f:
        f.write(struct.pack("<I", x.size) + x.tobytes())
        if weights is not None:
            f.write(weights.tobytes())
        named = None if weights is None else weights.ctypes.data_as(ctypes.c_void_p)
        for kind in kinds:
            per_block, size = gguf.GGML_QUANT_SIZES[kind]
            raw = ctypes.create_string_buffer(x.size // per_block * size)
            made = ggml.ggml_quantize_chunk(int(kind), x.ctypes.data_as(ctypes.c_void_p), raw, ctypes.c_int64(0),
                                            ctypes.c_int64(len(x)), ctypes.c_int64(COLS), named)
            assert made == len(raw)
            f.write(struct.pack("<II", int(kind), len(raw)) + raw.raw)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--ggml", metavar="LIBRARY")
    a = p.parse_args()
    HERE.mkdir(exist_ok=True)
    write_decode(HERE / "decode.bin")
    if a.ggml:
        write_encode(HERE / "encode.bin", a.ggml, rows(), ENCODED)
        write_encode(HERE / "encode_rare.bin", a.ggml, rare_rows(), [T.Q2_K, T.Q3_K, T.IQ4_NL, T.IQ4_XS])
        x, weights = weighted_rows()
        write_encode(HERE / "encode_weighted.bin", a.ggml, x, WEIGHTED, weights)


if __name__ == "__main__":
    main()
