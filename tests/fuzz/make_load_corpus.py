#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the starting inputs of fuzz_gguf, fuzz_model, fuzz_parts, fuzz_folder, fuzz_cache,
fuzz_session, fuzz_safetensors and fuzz_json into corpus/: the smallest valid files of each format.
Those of fuzz_model, fuzz_parts and fuzz_folder are whole models that can run. No packages needed.
usage: make_load_corpus.py (anywhere)"""
import json
import os
import random
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
PLAIN = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B",
         U64: "<Q", I64: "<q", F64: "<d"}


def string(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def value(type_, v):
    if type_ == STR:
        return string(v)
    if type_ == ARR:
        item, items = v
        return struct.pack("<IQ", item, len(items)) + b"".join(value(item, x) for x in items)
    return struct.pack(PLAIN[type_], v)


def gguf(keys, tensors, version=3, alignment=8):
    """tensors: (name, type code, dims, data or its size)"""
    keys = keys + [("general.alignment", U32, alignment)]
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for name, type_, v in keys:
        out += string(name) + struct.pack("<I", type_) + value(type_, v)
    data = b""
    for name, code, dims, n in tensors:
        data += bytes(-len(data) % alignment)
        out += string(name) + struct.pack("<I", len(dims))
        out += b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", code, len(data))
        data += n if isinstance(n, bytes) else bytes(range(n % 256)) + bytes(n - n % 256)
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


def safetensors(entries, data):
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


# ---- Whole models: a vocabulary of all bytes, three layers, weights near 0 -----------------------

TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34),
         "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210),
         "IQ2_XXS": (16, 256, 66), "IQ3_XXS": (18, 256, 98), "IQ1_S": (19, 256, 50),
         "IQ4_NL": (20, 32, 18), "BF16": (30, 1, 2)}


def byte_texts():
    """The printable characters that represent the bytes in byte-level BPE."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spare = iter(range(0x100, 0x200))
    return [chr(b) if b in plain else chr(next(spare)) for b in range(256)]


TOKENS = byte_texts() + ["ab", "<|startoftext|>", "<|im_end|>", "python"]
KINDS = [1] * 257 + [3, 3, 4]
BOS, EOS = 257, 258


def weights(name, type_, n):
    """n values of a type; the scales of blocks are small, everything else is arbitrary."""
    rng = random.Random(name)
    _, block, size = TYPES[type_]
    small = struct.pack("<e", 0.01)
    out = b""
    for _ in range(n // block):
        value = 1.0 if "norm" in name else rng.uniform(-0.1, 0.1)
        if type_ == "F32":
            out += struct.pack("<f", value)
        elif type_ == "F16":
            out += struct.pack("<e", value)
        elif type_ == "BF16":
            out += struct.pack("<f", value)[2:]
        elif type_ in ("Q4_K", "Q5_K"):
            out += small * 2 + rng.randbytes(size - 4)
        elif type_ == "Q6_K":
            out += rng.randbytes(size - 2) + small
        else:
            out += small + rng.randbytes(size - 2)
    return out


# (GGUF name, Hugging Face name, dims with the contiguous one first)
def tensors(width, head, ff, moe, expert_ff):
    both = [("token_embd.weight", "model.embed_tokens.weight", [width, len(TOKENS)]),
            ("token_embd_norm.weight", "model.embedding_norm.weight", [width])]
    for i in range(3):
        layer = [("attn_norm.weight", "operator_norm.weight", [width]),
                 ("ffn_norm.weight", "ffn_norm.weight", [width])]
        if i == 1:
            layer += [(f"attn_{n}.weight", f"self_attn.{h}_proj.weight", [width, rows])
                      for n, h, rows in (("q", "q", width), ("k", "k", head), ("v", "v", head),
                                         ("output", "out", width))]
            layer += [(f"attn_{n}_norm.weight", f"self_attn.{n}_layernorm.weight", [head])
                      for n in "qk"]
        else:
            layer += [("shortconv.in_proj.weight", "conv.in_proj.weight", [width, 3 * width]),
                      ("shortconv.conv.weight", "conv.conv.weight", [3, width]),
                      ("shortconv.out_proj.weight", "conv.out_proj.weight", [width, width])]
        sizes = [("gate", "w1", width, ff), ("up", "w3", width, ff), ("down", "w2", ff, width)]
        if moe and i > 0:
            layer += [("ffn_gate_inp.weight", "feed_forward.gate.weight", [width, 2]),
                      ("exp_probs_b.bias", "feed_forward.expert_bias", [2])]
            sizes = [("gate", "w1", width, expert_ff), ("up", "w3", width, expert_ff),
                     ("down", "w2", expert_ff, width)]
            layer += [(f"ffn_{n}_exps.weight", f"feed_forward.experts.%d.{h}.weight", [a, b, 2])
                      for n, h, a, b in sizes]
        else:
            layer += [(f"ffn_{n}.weight", f"feed_forward.{h}.weight", [a, b])
                      for n, h, a, b in sizes]
        both += [(f"blk.{i}.{n}", f"model.layers.{i}.{h}", d) for n, h, d in layer]
    return both


def size_of(dims):
    n = 1
    for d in dims:
        n *= d
    return n


def whole_gguf(moe, width, ff, type_, down=("Q4_0", "Q4_0", "Q4_0"), parts=1):
    a = "lfm2moe" if moe else "lfm2"
    head = width // 2
    keys = [("general.architecture", STR, a), ("general.name", STR, "tiny"),
            (a + ".block_count", U32, 3), (a + ".context_length", U32, 64),
            (a + ".embedding_length", U32, width), (a + ".feed_forward_length", U32, ff),
            (a + ".attention.head_count", U32, 2),
            (a + ".attention.head_count_kv", ARR, (I32, [0, 1, 0])),
            (a + ".attention.layer_norm_rms_epsilon", F32, 1e-5),
            (a + ".rope.freq_base", F32, 1e6), (a + ".shortconv.l_cache", U32, 3),
            (a + ".vocab_size", U32, len(TOKENS)),
            ("tokenizer.ggml.model", STR, "gpt2"), ("tokenizer.ggml.pre", STR, "lfm2"),
            ("tokenizer.ggml.tokens", ARR, (STR, TOKENS)),
            ("tokenizer.ggml.token_type", ARR, (I32, KINDS)),
            ("tokenizer.ggml.merges", ARR, (STR, ["a b"])),
            ("tokenizer.ggml.bos_token_id", U32, BOS), ("tokenizer.ggml.eos_token_id", U32, EOS),
            ("tokenizer.ggml.add_bos_token", BOOL, 1),
            ("tokenizer.chat_template", STR, "{{ bos_token }}")]
    if moe:
        keys += [(a + ".expert_count", U32, 2), (a + ".expert_used_count", U32, 1),
                 (a + ".expert_feed_forward_length", U32, 32),
                 (a + ".leading_dense_block_count", U32, 1), (a + ".expert_gating_func", U32, 2)]
    listed = []
    for name, _, dims in tensors(width, head, ff, moe, 32):
        this = type_
        if len(dims) == 1 or "conv.weight" in name or "gate_inp" in name:
            this = "F16" if type_ == "F16" else "F32"
        elif "ffn_down.weight" in name:
            this = down[int(name.split(".")[1])]
        listed.append((name, TYPES[this][0], dims, weights(name, this, size_of(dims))))
    if parts == 1:
        return gguf(keys, listed, alignment=32)
    half = len(listed) // 2
    split = [[("split.no", U16, i), ("split.count", U16, 2),
              ("split.tensors.count", I32, len(listed))] for i in range(2)]
    first = gguf(keys + split[0], listed[:half], alignment=32)
    return struct.pack("<I", len(first)) + first + gguf(split[1], listed[half:], alignment=32)


PATTERN = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
           "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")


def whole_folder(moe, shard=False):
    width, ff = 8, 8
    config = {"architectures": ["Lfm2MoeForCausalLM" if moe else "Lfm2ForCausalLM"],
              "model_type": "lfm2_moe" if moe else "lfm2", "hidden_size": width,
              "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1,
              "layer_types": ["conv", "full_attention", "conv"], "conv_L_cache": 3,
              "conv_bias": False, "norm_eps": 1e-05, "rope_theta": 1e6,
              "max_position_embeddings": 64, "vocab_size": len(TOKENS), "bos_token_id": BOS,
              "eos_token_id": [EOS], "pad_token_id": None, "tie_word_embeddings": True,
              "intermediate_size": ff}
    if moe:
        config.update(moe_intermediate_size=4, num_dense_layers=1, num_experts=2,
                      num_experts_per_tok=1, norm_topk_prob=True, use_expert_bias=True,
                      routed_scaling_factor=1.0)
    else:
        config["block_auto_adjust_ff_dim"] = False
    added = [{"id": i, "content": TOKENS[i], "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": KINDS[i] == 3}
             for i in range(257, len(TOKENS))]
    tokenizer = {
        "version": "1.0", "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated",
             "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": False}]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": TOKENS[BOS], "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {TOKENS[BOS]: {
                "id": TOKENS[BOS], "ids": [BOS], "tokens": [TOKENS[BOS]]}}},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "byte_fallback": False,
                  "ignore_merges": False, "vocab": {t: i for i, t in enumerate(TOKENS[:257])},
                  "merges": ["a b"]}}
    settings = {"bos_token": TOKENS[BOS], "eos_token": {"content": TOKENS[EOS]},
                "chat_template": "{{ bos_token }}"}
    entries, data = {}, b""
    for _, name, dims in tensors(width, width // 2, ff, moe, 4):
        shape = dims[1::-1] if "conv.conv" not in name else [dims[1], 1, dims[0]]
        for e in range(dims[2] if len(dims) == 3 else 1):
            full = name % e if len(dims) == 3 else name
            one = weights(full, "BF16", size_of(shape))
            entries[full] = {"dtype": "BF16", "shape": shape,
                             "data_offsets": [len(data), len(data) + len(one)]}
            data += one
    index = {"metadata": {}, "weight_map": {n: "a.safetensors" for n in entries}}
    out = b""
    for text in (config, tokenizer, settings, index if shard else None):
        section = b"" if text is None else json.dumps(text, separators=(",", ":"),
                                                   ensure_ascii=False).encode()
        out += struct.pack("<I", len(section)) + section
    return out + safetensors(entries, data)


def changes(flags, *records):
    """Changes to a pack cache or a saved session: see fuzz_cache.c and fuzz_session.c."""
    return bytes([flags]) + b"".join(
        struct.pack("<BHB", region, offset, len(data)) + data for region, offset, data in records)


FILES = {
    "gguf/moe": model(True),
    "gguf/dense-f16-v2": model(False, True),
    "gguf/kinds": gguf([(f"k{k}", k, 1) for k in PLAIN] +
                       [(f"a{k}", ARR, (k, [0, 1])) for k in PLAIN] +
                       [("s", STR, b"\xff\n"), ("as", ARR, (STR, ["", "x"]))], []),
    "gguf/quantized": gguf([], [("q", 2, [32, 2], 36), ("k", 14, [256], 210), ("x", 39, [32], 17)]),
    "gguf/low-bits": gguf([], [(f"t{kind}", kind, [elements, 2], 2 * size)
                               for kind, elements, size in (
                                   (10, 256, 84), (11, 256, 110), (16, 256, 66), (17, 256, 74),
                                   (18, 256, 98), (19, 256, 50), (20, 32, 18), (21, 256, 110),
                                   (22, 256, 82), (23, 256, 136), (29, 256, 56), (40, 64, 36))]),
    "safetensors/two": safetensors(
        {"__metadata__": {"format": "pt"},
         "a": {"dtype": "BF16", "shape": [2, 1, 3], "data_offsets": [0, 12]},
         "b": {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]},
         "c": {"dtype": "F16", "shape": [], "data_offsets": [16, 18]}}, bytes(24)),
    "safetensors/empty": safetensors({}, b""),
    "model/lfm2": whole_gguf(False, 8, 8, "F16", ("F16", "F16", "F16")),
    "model/lfm2-k": whole_gguf(False, 32, 256, "Q4_0", ("Q4_K", "Q5_K", "Q6_K")),
    "model/lfm2-iq": whole_gguf(False, 32, 256, "IQ4_NL", ("IQ1_S", "IQ2_XXS", "IQ3_XXS")),
    "model/lfm2moe": whole_gguf(True, 32, 32, "Q4_0", ("Q8_0", "Q4_0", "Q4_0")),
    "parts/lfm2": whole_gguf(False, 8, 8, "F16", ("F16", "F16", "F16"), 2),
    "folder/lfm2": whole_folder(False),
    "folder/lfm2moe-shard": whole_folder(True, True),
    "cache/as-it-is": changes(0),
    "cache/verified": changes(1),
    "cache/header": changes(2, (0, 16, b"\1"), (0, 40, b"\xff" * 8)),
    "cache/version": changes(2, (0, 8, struct.pack("<I", 3))),
    "cache/table": changes(6, (2, 8, bytes(8))),
    "cache/table-verified": changes(7, (2, 8, bytes(8))),
    "cache/weights": changes(0, (3, 100, b"\xff\x7f" * 60), (3, 9000, b"\0\x7e" * 60)),
    "cache/weights-verified": changes(1, (3, 100, b"\xff")),
    "cache/cut": changes(8, (3, 5, b"abc")),
    "cache/extended": changes(16),
    "session/f16": changes(0),
    "session/f32": changes(1),
    "session/q8": changes(2),
    "session/empty": changes(3),
    "session/from-fd": changes(64 + 32 + 1),
    "session/damaged": changes(0, (3, 100, b"\xff")),
    "session/damaged-header": changes(1, (4, 64, b"\x01")),
    "session/length": changes(4, (4, 64, b"\x06")),
    "session/kv-type": changes(4 + 8, (4, 60, b"\x01")),
    "session/version": changes(4, (4, 8, b"\x02")),
    "session/model": changes(4, (4, 24, b"\x02")),
    "session/pending": changes(4 + 8, (4, 68, b"\x09\0\0\0")),
    "session/token": changes(8, (0, 4, b"\xff\xff\xff\xff")),
    "session/keys": changes(8 + 0, (3, 0, b"\xff\x7f\0\x7c" * 40), (1, 0, b"\xff" * 16)),
    "session/q8-scales": changes(8 + 2, (3, 0, b"\0\0\x80\x7f\xff\xff\xff\x7f" * 16)),
    "session/logits": changes(8 + 1, (2, 0, b"\0\0\xc0\x7f" * 8)),
    "session/cut": changes(16 + 1, (5, 0, b"abc")),
    "session/extended": changes(32),
    "session/raw": changes(128) + b"LFM2SESS" + bytes(120),
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
