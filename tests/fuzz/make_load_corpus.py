#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the starting inputs of fuzz_gguf, fuzz_safetensors and fuzz_json into corpus/: the smallest
valid files of each kind. No packages needed. usage: make_load_corpus.py (anywhere)"""
import json
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
PLAIN = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B",
         U64: "<Q", I64: "<q", F64: "<d"}


def string(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def value(kind, v):
    if kind == STR:
        return string(v)
    if kind == ARR:
        item, items = v
        return struct.pack("<IQ", item, len(items)) + b"".join(value(item, x) for x in items)
    return struct.pack(PLAIN[kind], v)


def gguf(keys, tensors, version=3, alignment=8):
    """tensors: (name, type code, dims, bytes)"""
    keys = keys + [("general.alignment", U32, alignment)]
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for name, kind, v in keys:
        out += string(name) + struct.pack("<I", kind) + value(kind, v)
    data = b""
    for name, code, dims, n in tensors:
        data += bytes(-len(data) % alignment)
        out += string(name) + struct.pack("<I", len(dims))
        out += b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", code, len(data))
        data += bytes(range(n % 256)) + bytes(n - n % 256)
    return out + bytes(-len(out) % alignment) + data


def model(moe, f16=False):
    """Width 2, one head, two layers (convolution, attention), three tokens."""
    a = "lfm2moe" if moe else "lfm2"
    keys = [("general.architecture", STR, a), ("general.name", STR, "t"),
            (a + ".block_count", U32, 2), (a + ".context_length", U64, 9),
            (a + ".embedding_length", U16, 2), (a + ".feed_forward_length", I32, 1),
            (a + ".attention.head_count", U8, 1),
            (a + ".attention.head_count_kv", ARR, (I32, [0, 1])),
            (a + ".attention.layer_norm_rms_epsilon", F32, 1e-5),
            (a + ".rope.freq_base", F64, 1e6), (a + ".shortconv.l_cache", U32, 2),
            ("tokenizer.ggml.model", STR, "gpt2"), ("tokenizer.ggml.pre", STR, "lfm2"),
            ("tokenizer.ggml.tokens", ARR, (STR, ["a", "b", "ab"])),
            ("tokenizer.ggml.token_type", ARR, (I32, [1, 1, 1])),
            ("tokenizer.ggml.merges", ARR, (STR, ["a b"])),
            ("tokenizer.ggml.bos_token_id", U32, 0), ("tokenizer.ggml.add_bos_token", BOOL, 1),
            ("tokenizer.chat_template", STR, "{{ 1 }}")]
    if moe:
        keys += [(a + ".expert_count", U32, 2), (a + ".expert_used_count", U32, 1),
                 (a + ".expert_feed_forward_length", U32, 1),
                 (a + ".leading_dense_block_count", U32, 1), (a + ".expert_gating_func", U32, 2),
                 (a + ".expert_weights_scale", F32, 1.0)]
    names = [("token_embd.weight", [2, 3]), ("token_embd_norm.weight", [2])]
    for i in range(2):
        names += [(f"blk.{i}.{n}", d) for n, d in
                  [("attn_norm.weight", [2]), ("ffn_norm.weight", [2])]]
        mixer = [("shortconv.in_proj.weight", [2, 6]), ("shortconv.conv.weight", [2, 2]),
                 ("shortconv.out_proj.weight", [2, 2])] if i == 0 else \
                [("attn_q.weight", [2, 2]), ("attn_k.weight", [2, 2]), ("attn_v.weight", [2, 2]),
                 ("attn_q_norm.weight", [2]), ("attn_k_norm.weight", [2]),
                 ("attn_output.weight", [2, 2])]
        ffn = [("ffn_gate.weight", [2, 1]), ("ffn_up.weight", [2, 1]), ("ffn_down.weight", [1, 2])]
        if moe and i == 1:
            ffn = [("ffn_gate_inp.weight", [2, 2]), ("exp_probs_b.bias", [2]),
                   ("ffn_gate_exps.weight", [2, 1, 2]), ("ffn_up_exps.weight", [2, 1, 2]),
                   ("ffn_down_exps.weight", [1, 2, 2])]
        names += [(f"blk.{i}.{n}", d) for n, d in mixer + ffn]
    size = 2 if f16 else 4

    def count(d):
        n = 1
        for x in d:
            n *= x
        return n
    return gguf(keys, [(n, 1 if f16 else 0, d, count(d) * size) for n, d in names],
                version=2 if f16 else 3)


def safetensors(entries, n_data):
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes(n_data)


FILES = {
    "gguf/moe": model(True),
    "gguf/dense-f16-v2": model(False, True),
    "gguf/kinds": gguf([(f"k{k}", k, 1) for k in PLAIN] +
                       [(f"a{k}", ARR, (k, [0, 1])) for k in PLAIN] +
                       [("s", STR, b"\xff\n"), ("as", ARR, (STR, ["", "x"]))], []),
    "gguf/quantised": gguf([], [("q", 2, [32, 2], 36), ("k", 14, [256], 210), ("x", 39, [32], 17)]),
    "safetensors/two": safetensors(
        {"__metadata__": {"format": "pt"},
         "a": {"dtype": "BF16", "shape": [2, 1, 3], "data_offsets": [0, 12]},
         "b": {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]},
         "c": {"dtype": "F16", "shape": [], "data_offsets": [16, 18]}}, 24),
    "safetensors/empty": safetensors({}, 0),
    "json/values": b' {"a": [0, -1.5e+3, 1E-2, true, false, null, ""], "b": {"c": {}}, "": []}\n',
    "json/strings": '["\\"\\\\\\/\\b\\f\\n\\r\\t", "\\u00e9\\ud83d\\ude00\\u0000", "é€😀"]'.encode(),
    "json/numbers": b"[18446744073709551615, -9223372036854775808, 4.9e-324, 1e400, 100e-2, 0.10]",
    "json/many": json.dumps({f"key{i}": i for i in range(40)}).encode(),
    "json/deep": b"[" * 64 + b"]" * 64,
}

for name, content in FILES.items():
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)
