# SPDX-License-Identifier: Apache-2.0
"""Writes a GGUF file from a Hugging Face LFM2-MoE checkpoint folder.

    python export.py FOLDER OUT.gguf --type q4_0      (or bf16, f32)

Keys, tensors and types follow llama.cpp's `lfm2moe` files: norms, convolution kernels, routers and
expert biases stay F32; with q4_0 the embedding (also the output head) is Q6_K. Needs the packages
gguf, numpy, safetensors and torch.
"""

import argparse
import json
import os

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

from safetensors import safe_open

RENAME = {
    "operator_norm.weight": "attn_norm.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.out_proj.weight": "attn_output.weight",
    "self_attn.q_layernorm.weight": "attn_q_norm.weight",
    "self_attn.k_layernorm.weight": "attn_k_norm.weight",
    "conv.in_proj.weight": "shortconv.in_proj.weight",
    "conv.conv.weight": "shortconv.conv.weight",
    "conv.out_proj.weight": "shortconv.out_proj.weight",
    "feed_forward.w1.weight": "ffn_gate.weight",
    "feed_forward.w3.weight": "ffn_up.weight",
    "feed_forward.w2.weight": "ffn_down.weight",
    "feed_forward.gate.weight": "ffn_gate_inp.weight",
    "feed_forward.expert_bias": "exp_probs_b.bias",
}
EXPERTS = {"w1": "ffn_gate_exps.weight", "w3": "ffn_up_exps.weight", "w2": "ffn_down_exps.weight"}


# ---------------------------------------------------------------------- Q6_K


def q6_k(x):
    """Quantizes rows to Q6_K.

    A block has 256 values in 16 groups of 16: six bits a value, an int8 scale a group, an f16 scale
    a block. For each group, several scales near (value of largest magnitude / -32) are tried and
    refitted by weighted least squares with weights x^2; the one with the smallest weighted error
    wins. Then the group scales are rounded to int8 relative to one f16 scale, and the values are
    quantized again with the rounded scales.
    """
    x = np.ascontiguousarray(x, np.float32)
    rows, n = x.shape
    assert n % 256 == 0
    g = x.reshape(-1, 16)
    w = g * g
    top = np.take_along_axis(g, np.abs(g).argmax(1)[:, None], 1)
    best = np.full((len(g), 1), -1.0, np.float32)
    scale = np.zeros((len(g), 1), np.float32)
    safe = np.where(top == 0, 1, top)
    for k in range(-9, 10):
        inv = -(32 + 0.1 * k) / safe
        q = np.clip(np.rint(g * inv), -32, 31)
        sxq, sqq = (w * g * q).sum(1, keepdims=True), (w * q * q).sum(1, keepdims=True)
        ok = sqq > 0
        gain = np.where(ok, sxq * sxq / np.where(ok, sqq, 1), 0)  # error = sum(w x^2) - gain
        better = gain > best
        best = np.where(better, gain, best)
        scale = np.where(better, np.where(ok, sxq / np.where(ok, sqq, 1), 0), scale)
    scale = np.where(top == 0, 0, scale).reshape(-1, 16)  # [blocks, groups]
    lead = np.take_along_axis(scale, np.abs(scale).argmax(1)[:, None], 1)
    inv = np.where(lead == 0, 0, -128 / np.where(lead == 0, 1, lead))
    d = np.where(lead == 0, 0, lead / -128).astype(np.float16)
    sc = np.clip(np.rint(inv * scale), -128, 127)
    step = d.astype(np.float32) * sc  # [blocks, 16]
    step = np.where(step == 0, np.inf, step)[:, :, None]
    q = np.clip(np.rint(x.reshape(-1, 16, 16) / step), -32, 31).astype(np.int32) + 32
    q = q.reshape(-1, 2, 4, 32)  # [blocks, half, group of 32, l]
    low, high = (q & 15).astype(np.uint8), (q >> 4).astype(np.uint8)
    ql = np.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], -1)
    qh = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    blocks = np.concatenate(
        [
            ql.reshape(-1, 128),
            qh.reshape(-1, 64),
            sc.astype(np.int8).view(np.uint8),
            d.view(np.uint8),
        ],
        1,
    )
    return blocks.reshape(rows, -1)


def encode(x, t):
    """The bytes or values of an array in type t, row by row."""
    if t == T.F32:
        return np.ascontiguousarray(x, np.float32)
    if t == T.Q6_K:
        return q6_k(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)
    return gguf.quants.quantize(np.ascontiguousarray(x, np.float32), t)


# --------------------------------------------------------------------- input


def read_tensors(folder):
    """All tensors of the folder as float32 arrays."""
    import torch

    out = {}
    for f in sorted(os.listdir(folder)):
        if f.endswith(".safetensors"):
            with safe_open(os.path.join(folder, f), "pt") as s:
                for k in s.keys():
                    out[k] = s.get_tensor(k).to(torch.float32).numpy()
    return out


def gguf_tensors(cfg, t):
    """(GGUF name, array) in file order."""
    yield "token_embd.weight", t.pop("model.embed_tokens.weight")
    yield "token_embd_norm.weight", t.pop("model.embedding_norm.weight")
    for i in range(cfg["num_hidden_layers"]):
        base = f"model.layers.{i}."
        for hf, name in RENAME.items():
            if base + hf in t:
                x = t.pop(base + hf)
                yield f"blk.{i}.{name}", (
                    x.reshape(x.shape[0], -1) if hf == "conv.conv.weight" else x
                )
        for w, name in EXPERTS.items():
            keys = [f"{base}feed_forward.experts.{e}.{w}.weight" for e in range(cfg["num_experts"])]
            if keys[0] in t:
                yield f"blk.{i}.{name}", np.stack([t.pop(k) for k in keys])
    assert not t, f"tensors that the file has no name for: {list(t)}"


def tensor_type(name, x, kind):
    if (
        x.ndim == 1
        or name.endswith("norm.weight")
        or "ffn_gate_inp" in name
        or "shortconv.conv." in name
        or not name.endswith("weight")
    ):
        return T.F32
    if kind == "q4_0" and name == "token_embd.weight":
        return T.Q6_K
    return {"q4_0": T.Q4_0, "bf16": T.BF16, "f32": T.F32}[kind]


# -------------------------------------------------------------------- output


def add_tokenizer(w, folder, cfg):
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        tok = json.load(f)
    with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as f:
        tcfg = json.load(f)
    vocab = {i: s for s, i in tok["model"]["vocab"].items()}
    types = {i: gguf.TokenType.NORMAL for i in vocab}
    for a in tok["added_tokens"]:
        vocab[a["id"]] = a["content"]
        types[a["id"]] = gguf.TokenType.CONTROL if a["special"] else gguf.TokenType.USER_DEFINED
    n = cfg["vocab_size"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("lfm2")
    w.add_token_list([vocab.get(i, f"[PAD{i}]") for i in range(n)])
    w.add_token_types([types.get(i, gguf.TokenType.UNUSED) for i in range(n)])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tok["model"]["merges"]])
    w.add_bos_token_id(cfg["bos_token_id"])
    w.add_eos_token_id(cfg["eos_token_id"])
    w.add_pad_token_id(cfg["pad_token_id"])
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.add_chat_template(tcfg["chat_template"])


def export(folder, path, kind, name):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        cfg = json.load(f)
    w = gguf.GGUFWriter(path, "lfm2moe")
    w.add_type("model")
    w.add_name(name)
    w.add_license("apache-2.0")
    w.add_file_type({"q4_0": 2, "bf16": 32, "f32": 0}[kind])
    w.add_quantization_version(2)
    w.add_block_count(cfg["num_hidden_layers"])
    w.add_context_length(cfg["max_position_embeddings"])
    w.add_embedding_length(cfg["hidden_size"])
    w.add_feed_forward_length(cfg["intermediate_size"])
    w.add_head_count(cfg["num_attention_heads"])
    w.add_head_count_kv(
        [cfg["num_key_value_heads"] if k == "full_attention" else 0 for k in cfg["layer_types"]]
    )
    w.add_layer_norm_rms_eps(cfg["norm_eps"])
    w.add_rope_freq_base(cfg["rope_theta"])
    w.add_vocab_size(cfg["vocab_size"])
    w.add_uint32("lfm2moe.shortconv.l_cache", cfg["conv_L_cache"])
    w.add_expert_count(cfg["num_experts"])
    w.add_expert_used_count(cfg["num_experts_per_tok"])
    w.add_expert_feed_forward_length(cfg["moe_intermediate_size"])
    w.add_leading_dense_block_count(cfg["num_dense_layers"])
    w.add_uint32("lfm2moe.expert_gating_func", 2)
    add_tokenizer(w, folder, cfg)
    error = {}
    for tensor, x in gguf_tensors(cfg, read_tensors(folder)):
        t = tensor_type(tensor, x, kind)
        raw = encode(x, t)
        w.add_tensor(tensor, raw, raw_dtype=t)
        if t not in (T.F32, T.BF16):
            back = gguf.quants.dequantize(
                raw.view(np.uint8).reshape(*raw.shape[:-1], -1), t
            ).reshape(x.shape)
            e = error.setdefault(t.name, [0.0, 0.0])
            e[0] += float(((back - x) ** 2).sum())
            e[1] += float((x**2).sum())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    for t, (a, b) in error.items():
        print(f"{t}: relative rms error {(a / b) ** 0.5:.4f}")
    print(f"{path}: {os.path.getsize(path):,} bytes")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folder")
    p.add_argument("out")
    p.add_argument("--type", choices=["q4_0", "bf16", "f32"], default="q4_0")
    p.add_argument("--name", default="lfm2-demo")
    a = p.parse_args()
    export(a.folder, a.out, a.type, a.name)


if __name__ == "__main__":
    main()
