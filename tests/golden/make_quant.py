# SPDX-License-Identifier: Apache-2.0
"""Reference data of the block formats.

    python make_quant.py [--llama-quantize PROGRAM]

writes quant/decode.bin (values that gguf-py gives for random blocks of every type) and, when a
llama-quantize is named, quant/encode.bin (random rows and the bytes that it makes of them without
an importance matrix). Needs numpy and gguf.

Both files are sequences of records, all numbers little-endian:
  decode.bin: u32 type, u32 values n, u32 bytes, the blocks, n f32 values
  encode.bin: first u32 n and n f32 values; then per type u32 type, u32 bytes, the blocks
"""
import argparse
import pathlib
import shlex
import struct
import subprocess
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

HERE = pathlib.Path(__file__).resolve().parent / "quant"
TYPES = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.IQ4_XS,
         T.MXFP4]
# Byte offsets of the f16 scales and mins in a block.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}
# Zeros, smallest and largest subnormal, smallest normal, one, largest, infinity, NaN, and negatives.
EDGES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x8400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01]
ROWS, COLS = 20, 1024


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
    for at in HALVES.get(kind, []):
        out[:, at:at + 2] = rng.normal(0, 0.05, n).astype(np.float16).view(np.uint8).reshape(n, 2)
        where = rng.permutation(n)[:len(EDGES)]
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


def skeleton(path, x):
    w = gguf.GGUFWriter(path, "lfm2")
    w.add_block_count(1)
    w.add_context_length(64)
    w.add_embedding_length(COLS)
    w.add_feed_forward_length(ROWS)
    w.add_head_count(16)
    w.add_head_count_kv([16])
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(1e6)
    w.add_vocab_size(ROWS)
    w.add_shortconv_l_cache(3)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("lfm2")
    w.add_token_list([f"t{i}" for i in range(ROWS)])
    w.add_token_types([1] * ROWS)
    w.add_token_merges(["a b"])
    w.add_tensor("token_embd.weight", x)
    w.add_tensor("blk.0.ffn_up.weight", x)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_encode(path, program):
    x = rows()
    with tempfile.TemporaryDirectory(dir=".") as folder, open(path, "wb") as f:
        source = pathlib.Path(folder).resolve() / "in.gguf"
        skeleton(source, x)
        f.write(struct.pack("<I", x.size) + x.tobytes())
        for name, tensor, kind in [("F16", "blk.0.ffn_up.weight", T.F16), ("BF16", "blk.0.ffn_up.weight", T.BF16),
                                   ("Q8_0", "blk.0.ffn_up.weight", T.Q8_0), ("Q4_0", "blk.0.ffn_up.weight", T.Q4_0),
                                   ("Q4_0", "token_embd.weight", T.Q6_K), ("Q5_0", "blk.0.ffn_up.weight", T.Q5_0),
                                   ("Q5_1", "blk.0.ffn_up.weight", T.Q5_1), ("Q4_K_S", "blk.0.ffn_up.weight", T.Q4_K),
                                   ("Q5_K_S", "blk.0.ffn_up.weight", T.Q5_K)]:
            out = source.with_name("out.gguf")
            subprocess.run([*shlex.split(program), source, out, name], check=True, capture_output=True)
            made = next(t for t in gguf.GGUFReader(out).tensors if t.name == tensor)
            assert made.tensor_type == kind, (name, made.tensor_type)
            raw = np.ascontiguousarray(made.data).view(np.uint8).tobytes()
            f.write(struct.pack("<II", int(kind), len(raw)) + raw)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--llama-quantize", metavar="PROGRAM")
    a = p.parse_args()
    HERE.mkdir(exist_ok=True)
    write_decode(HERE / "decode.bin")
    if a.llama_quantize:
        write_encode(HERE / "encode.bin", a.llama_quantize)


if __name__ == "__main__":
    main()
