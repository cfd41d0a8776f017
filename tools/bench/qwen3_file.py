#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a GGUF file with the exact shape of Qwen3-1.7B (or a tiny one) and random weights.

tools/bench/compare runs it in llama.cpp: a dense model of about the active size of LFM2-8B-A1B. The
types are those of llama-quantize's Q4_0: matrices Q4_0, the tied embedding Q6_K, norms F32. Speed
does not depend on the values; they are small so that nothing overflows. Standard library only.

    qwen3_file.py [--tiny] [--seed S] OUT.gguf
"""
import argparse
import os
import random
import signal
import struct
import sys

F32, Q4_0, Q6_K = 0, 2, 14
BLOCK = {F32: (1, 4), Q4_0: (32, 18), Q6_K: (256, 210)}  # values, bytes
ALIGN = 32


class Shape:
    name, layers, width, heads, heads_kv, head_dim, ffn, vocab = (
        "Qwen3 1.7B synthetic", 28, 2048, 16, 8, 128, 6144, 151936)


class Tiny(Shape):
    name, layers, width, heads, heads_kv, head_dim, ffn, vocab = (
        "Qwen3 tiny synthetic", 2, 256, 4, 2, 64, 512, 512)


# ---- Metadata ------------------------------------------------------------------------------------

def text(s):
    data = s.encode()
    return struct.pack("<Q", len(data)) + data


def u32(v):
    return struct.pack("<II", 4, v)


def f32(v):
    return struct.pack("<If", 6, v)


def boolean(v):
    return struct.pack("<IB", 7, v)


def string(v):
    return struct.pack("<I", 8) + text(v)


def array(kind, items):
    return struct.pack("<IIQ", 9, kind, len(items)) + b"".join(items)


def byte_letters():
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, n = {}, 0
    for b in range(256):
        letters[b] = chr(b if b in plain else 256 + n)
        n += b not in plain
    return [letters[b] for b in range(256)]


def metadata(shape):
    tokens = byte_letters() + ["\u0120t"]  # a space and t
    kinds = [1] * len(tokens)
    end = len(tokens)
    tokens += ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    kinds += [3] * 3
    while len(tokens) < shape.vocab:
        tokens.append(f"[PAD{len(tokens)}]")
        kinds.append(5)
    return [
        ("general.architecture", string("qwen3")),
        ("general.name", string(shape.name)),
        ("general.file_type", u32(2)),
        ("general.quantization_version", u32(2)),
        ("qwen3.block_count", u32(shape.layers)),
        ("qwen3.context_length", u32(40960)),
        ("qwen3.embedding_length", u32(shape.width)),
        ("qwen3.feed_forward_length", u32(shape.ffn)),
        ("qwen3.attention.head_count", u32(shape.heads)),
        ("qwen3.attention.head_count_kv", u32(shape.heads_kv)),
        ("qwen3.attention.key_length", u32(shape.head_dim)),
        ("qwen3.attention.value_length", u32(shape.head_dim)),
        ("qwen3.attention.layer_norm_rms_epsilon", f32(1e-6)),
        ("qwen3.rope.freq_base", f32(1e6)),
        ("tokenizer.ggml.model", string("gpt2")),
        ("tokenizer.ggml.pre", string("qwen2")),
        ("tokenizer.ggml.tokens", array(8, [text(t) for t in tokens])),
        ("tokenizer.ggml.token_type", array(5, [struct.pack("<i", k) for k in kinds])),
        ("tokenizer.ggml.merges", array(8, [text("\u0120 t")])),
        ("tokenizer.ggml.bos_token_id", u32(end)),
        ("tokenizer.ggml.eos_token_id", u32(end + 2)),
        ("tokenizer.ggml.padding_token_id", u32(end)),
        ("tokenizer.ggml.add_bos_token", boolean(0)),
    ]


# ---- Tensors -------------------------------------------------------------------------------------

def tensors(shape):
    """(name, type, columns, rows); rows 0: one dimension."""
    q = shape.heads * shape.head_dim
    kv = shape.heads_kv * shape.head_dim
    yield "token_embd.weight", Q6_K, shape.width, shape.vocab
    yield "output_norm.weight", F32, shape.width, 0
    for i in range(shape.layers):
        for name, kind, cols, rows in (
            ("attn_norm", F32, shape.width, 0),
            ("attn_q", Q4_0, shape.width, q),
            ("attn_q_norm", F32, shape.head_dim, 0),
            ("attn_k", Q4_0, shape.width, kv),
            ("attn_k_norm", F32, shape.head_dim, 0),
            ("attn_v", Q4_0, shape.width, kv),
            ("attn_output", Q4_0, q, shape.width),
            ("ffn_norm", F32, shape.width, 0),
            ("ffn_gate", Q4_0, shape.width, shape.ffn),
            ("ffn_up", Q4_0, shape.width, shape.ffn),
            ("ffn_down", Q4_0, shape.ffn, shape.width),
        ):
            yield f"blk.{i}.{name}.weight", kind, cols, rows


def n_bytes(kind, cols, rows):
    values, size = BLOCK[kind]
    return cols // values * size * max(rows, 1)


def data(kind, size, rng):
    """Chunks of `size` bytes in total: random quants, small scales."""
    if kind == F32:
        yield struct.pack("<f", 1.0) * (size // 4)
        return
    block = BLOCK[kind][1]
    step = block << 16
    while size > 0:
        n = min(step, size)
        chunk = bytearray(rng.randbytes(n))
        blocks = n // block
        scale = struct.pack("<e", 2.0 ** -9)
        if kind == Q4_0:
            first = 0
        else:
            first = 208
            for i in range(192, 208):  # the int8 scales of a Q6_K block
                chunk[i::block] = rng.choice((b"\x0b", b"\x10", b"\xf2")) * blocks
        chunk[first::block] = scale[:1] * blocks
        chunk[first + 1::block] = scale[1:] * blocks
        yield chunk
        size -= n


def pad(n):
    return -n % ALIGN


def write(shape, seed, out):
    rng = random.Random(seed)
    meta = metadata(shape)
    infos = list(tensors(shape))
    head = [b"GGUF", struct.pack("<IQQ", 3, len(infos), len(meta))]
    head += [text(key) + value for key, value in meta]
    offset = 0
    for name, kind, cols, rows in infos:
        dims = (cols, rows) if rows else (cols,)
        head.append(text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset))
        offset += n_bytes(kind, cols, rows)
        offset += pad(offset)
    head = b"".join(head)
    out.write(head + bytes(pad(len(head))))
    for name, kind, cols, rows in infos:
        size = n_bytes(kind, cols, rows)
        for chunk in data(kind, size, rng):
            out.write(chunk)
        out.write(bytes(pad(size)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a few hundred kilobytes, for tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("out")
    args = parser.parse_args()
    unfinished = f"{args.out}.tmp-{os.getpid()}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with open(unfinished, "wb") as out:
            write(Tiny if args.tiny else Shape, args.seed, out)
        os.rename(unfinished, args.out)
    except BaseException as error:  # also after an interrupt no file is left
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        if isinstance(error, (OSError, KeyboardInterrupt)):
            sys.exit(f"qwen3_file.py: {str(error) or 'interrupted'}")
        raise


if __name__ == "__main__":
    main()
