#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/forward/: what Hugging Face transformers computes for tiny random models.

Weights are not stored: NAME/tensors.txt says how both this script and the tests make them, one
tensor a line: name, dtype, dims (x between), key, mean and spread. Element i is
  mean + spread * u,  u = (mix(key + (i + 1) * 0x9e3779b97f4a7c15) >> 40) / 2^23 - 1
with mix = SplitMix64's finaliser, computed in double, rounded to float, then to the dtype.
NAME/config.json is the checkpoint's, NAME/ids.txt the tokens, NAME/logits.f32 the logits of every
position (little-endian rows of vocab_size floats), computed in float32 with eager attention.

  make_forward.py [CASE...]      needs numpy, torch, transformers (5.x)
"""
import json
import os
import struct
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import torch
import transformers

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forward")
TOKENS = 24
CONV, ATTN = "conv", "full_attention"

DENSE = {"architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2",
         "block_auto_adjust_ff_dim": False}
MOE = {"architectures": ["Lfm2MoeForCausalLM"], "model_type": "lfm2_moe"}


def moe(**keys):
    return MOE | {"norm_topk_prob": True, "use_expert_bias": True,
                  "routed_scaling_factor": 1.0} | keys


# The name of a case, or the comment before it, says what it tests.
CASES = {
    # the plainest model; width by the 2/3 rule with block_multiple_of
    "dense-plain": DENSE | dict(
        hidden_size=64, num_attention_heads=2, num_key_value_heads=2, intermediate_size=210,
        block_auto_adjust_ff_dim=True, block_ffn_dim_multiplier=1.0, block_multiple_of=32,
        layer_types=[CONV, ATTN, CONV], vocab_size=96, rope_theta=1000000.0),
    # 4 taps, an untied head, groups of 2, transformers 5's rope key
    "dense-untied": DENSE | dict(
        hidden_size=128, num_attention_heads=2, num_key_value_heads=1, intermediate_size=192,
        layer_types=[ATTN, CONV, CONV, ATTN], vocab_size=160, conv_L_cache=4,
        tie_word_embeddings=False, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}),
    # old keys: full_attn_idxs, block_ff_dim, tie_embedding
    "dense-legacy": DENSE | dict(
        hidden_size=256, num_attention_heads=8, num_key_value_heads=2, intermediate_size=999,
        block_ff_dim=320, full_attn_idxs=[1, 2], num_hidden_layers=3, vocab_size=96,
        tie_embedding=True, rope_theta=500000.0, norm_eps=1e-3),
    # sizes that are no multiples of 8, heads wider than hidden / heads, attention only
    "dense-odd": DENSE | dict(
        hidden_size=76, num_attention_heads=3, num_key_value_heads=1, head_dim=36,
        intermediate_size=44, layer_types=[ATTN, ATTN], vocab_size=97, rope_theta=1000000.0),
    "moe-plain": moe(
        hidden_size=64, num_attention_heads=2, num_key_value_heads=1, intermediate_size=96,
        moe_intermediate_size=64, num_dense_layers=1, num_experts=8, num_experts_per_tok=2,
        layer_types=[CONV, ATTN, CONV, ATTN], vocab_size=128, rope_theta=1000000.0),
    # no dense layer, groups of 4, experts' weights scaled
    "moe-scaled": moe(
        hidden_size=128, num_attention_heads=4, num_key_value_heads=1, intermediate_size=96,
        moe_intermediate_size=32, num_dense_layers=0, num_experts=16, num_experts_per_tok=4,
        routed_scaling_factor=2.5, layer_types=[CONV, CONV, ATTN], vocab_size=96,
        rope_theta=1000000.0),
    # head_dim 128, 4 taps, two dense layers, no bias, weights not normalised
    "moe-nobias": moe(
        hidden_size=256, num_attention_heads=2, num_key_value_heads=1, intermediate_size=128,
        moe_intermediate_size=64, num_dense_layers=2, num_experts=5, num_experts_per_tok=3,
        norm_topk_prob=False, use_expert_bias=False, layer_types=[CONV, CONV, ATTN, CONV],
        vocab_size=112, conv_L_cache=4, rope_theta=5000000.0),
    # everything at once
    "moe-mixed": moe(
        hidden_size=128, num_attention_heads=4, num_key_value_heads=2, intermediate_size=160,
        moe_intermediate_size=96, num_dense_layers=1, num_experts=7, num_experts_per_tok=3,
        norm_topk_prob=False, routed_scaling_factor=0.5, layer_types=[ATTN, CONV, CONV, ATTN],
        vocab_size=256, conv_L_cache=4, tie_word_embeddings=False,
        rope_parameters={"rope_theta": 5000000.0, "rope_type": "default"}),
}

# The text models of vision models: the case of the same name without "vl-", nested in the
# configuration of lfm2_vl, with a small vision tower.
VISION = ["vl-dense-untied", "vl-moe-plain"]
VISION_CONFIG = {"model_type": "siglip2_vision_model", "hidden_size": 16, "intermediate_size": 16,
                 "num_hidden_layers": 1, "num_attention_heads": 2, "num_patches": 16,
                 "patch_size": 2}

COMMON = dict(conv_L_cache=3, conv_bias=False, norm_eps=1e-5, max_position_embeddings=8192,
              bos_token_id=1, eos_token_id=7, pad_token_id=0, dtype="bfloat16")

M64 = (1 << 64) - 1


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
    return z ^ (z >> 31)


def units(key, n):
    z = np.uint64(key) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 8388608.0 - 1.0


def to_bf16(x):
    """Bits, rounded to nearest even."""
    bits = x.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
            >> np.uint32(16)).astype(np.uint16)


def ffn_width(c):
    f = c.get("block_ff_dim", c["intermediate_size"])
    if c.get("block_auto_adjust_ff_dim"):
        m = c["block_multiple_of"]
        f = int(c["block_ffn_dim_multiplier"] * int(2 * f / 3))
        f = m * ((f + m - 1) // m)
    return f


def tensors(c, seed):
    """(name, dtype, dims, key, mean, spread) of every tensor."""
    H, V = c["hidden_size"], c["vocab_size"]
    heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
    hd = c.get("head_dim", H // heads)
    kinds = c.get("layer_types")
    kinds = kinds or [ATTN if i in c["full_attn_idxs"] else CONV
                      for i in range(c["num_hidden_layers"])]
    rows = []

    def add(name, dims, mean=0.0, spread=None, dtype="BF16"):
        if spread is None:  # variance 1 / inputs
            spread = round((3.0 / dims[-1]) ** 0.5, 6)
        rows.append((name, dtype, dims, mix((seed * 1000003 + len(rows)) & M64), mean, spread))

    add("model.embed_tokens.weight", [V, H], 0.0, round(3.0 / H ** 0.5, 6))
    add("model.embedding_norm.weight", [H], 1.0, 0.25)
    if c.get("tie_word_embeddings") is False:
        add("lm_head.weight", [V, H], 0.0, round(4.0 / H ** 0.5, 6))
    for i, kind in enumerate(kinds):
        p = f"model.layers.{i}."
        add(p + "operator_norm.weight", [H], 1.0, 0.25)
        add(p + "ffn_norm.weight", [H], 1.0, 0.25)
        if kind == ATTN:
            add(p + "self_attn.q_proj.weight", [heads * hd, H])
            add(p + "self_attn.k_proj.weight", [kv * hd, H])
            add(p + "self_attn.v_proj.weight", [kv * hd, H])
            add(p + "self_attn.out_proj.weight", [H, heads * hd])
            add(p + "self_attn.q_layernorm.weight", [hd], 1.5, 0.25)
            add(p + "self_attn.k_layernorm.weight", [hd], 1.5, 0.25)
        else:
            add(p + "conv.in_proj.weight", [3 * H, H])
            add(p + "conv.conv.weight", [H, 1, c["conv_L_cache"]], 0.0, 1.0)
            add(p + "conv.out_proj.weight", [H, H])
        f = p + "feed_forward."
        if c["model_type"] == "lfm2" or i < c["num_dense_layers"]:
            F = ffn_width(c)
            for w, dims in (("w1", [F, H]), ("w3", [F, H]), ("w2", [H, F])):
                add(f"{f}{w}.weight", dims)
            continue
        N, F = c["num_experts"], c["moe_intermediate_size"]
        add(f + "gate.weight", [N, H], 0.0, round(3.0 / H ** 0.5, 6))
        if c["use_expert_bias"]:
            add(f + "expert_bias", [N], 0.0, 0.25, "F32")
        for e in range(N):
            for w, dims in (("w1", [F, H]), ("w3", [F, H]), ("w2", [H, F])):
                add(f"{f}experts.{e}.{w}.weight", dims)
    return rows


def save(folder, rows):
    header, blobs, at = {}, [], 0
    for name, dtype, dims, key, mean, spread in rows:
        x = (mean + spread * units(key, int(np.prod(dims)))).astype(np.float32)
        blob = (to_bf16(x) if dtype == "BF16" else x).tobytes()
        header[name] = {"dtype": dtype, "shape": dims, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def margins(model, cfg):
    """Smallest gap between the last chosen and the first unchosen expert: a near tie would make the
    comparison with other arithmetic unfair."""
    gaps = []

    def hook(module, args, out):
        score = torch.sigmoid(out[0])
        bias = args[1] if len(args) > 1 else None
        score = score if bias is None else score + bias
        top = score.sort(dim=-1, descending=True).values
        gaps.append((top[:, cfg.num_experts_per_tok - 1] - top[:, cfg.num_experts_per_tok]).min())

    for m in model.modules():
        if type(m).__name__.endswith("TopKRouter"):
            m.register_forward_hook(hook)
    return gaps


def nest(c, rows):
    """The configuration and the tensors of a vision model with the text model (c, rows)."""
    c = {"architectures": ["Lfm2VlForConditionalGeneration"], "model_type": "lfm2_vl",
         "dtype": c["dtype"], "tie_word_embeddings": c.get("tie_word_embeddings", True),
         "projector_hidden_size": 16, "text_config": c, "vision_config": VISION_CONFIG}
    rows = [("model.language_model." + n.removeprefix("model.") if n.startswith("model.") else n,
             *rest) for n, *rest in rows]
    text = {n for n, *_ in rows} | {"lm_head.weight"}
    config = transformers.Lfm2VlConfig(**{k: v for k, v in c.items() if k != "model_type"})
    state = transformers.Lfm2VlForConditionalGeneration(config).state_dict()
    for n, tensor in state.items():
        if n not in text and ".experts." not in n:
            rows.append((n, "BF16", list(tensor.shape), mix(len(rows)), 0.0, 0.5))
    return c, rows


def make(name, seed):
    c = COMMON | CASES[name.removeprefix("vl-")]
    c.setdefault("num_hidden_layers", len(c.get("layer_types", [])))
    rows = tensors(c, seed)
    vocab, moe_model = c["vocab_size"], c["model_type"] == "lfm2_moe"
    loader = transformers.AutoModelForCausalLM
    if name in VISION:
        c, rows = nest(c, rows)
        loader = transformers.Lfm2VlForConditionalGeneration
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(c, f, indent=1)
        f.write("\n")
    with open(os.path.join(folder, "tensors.txt"), "w") as f:
        for n, dtype, dims, key, mean, spread in rows:
            f.write(f"{n} {dtype} {'x'.join(map(str, dims))} {key:016x} {mean!r} {spread!r}\n")
    ids = (np.random.default_rng(seed).integers(0, vocab, TOKENS)).tolist()
    with open(os.path.join(folder, "ids.txt"), "w") as f:
        f.write(" ".join(map(str, ids)) + "\n")
    with tempfile.TemporaryDirectory() as d:
        save(d, rows)
        with open(os.path.join(d, "config.json"), "w") as f:
            json.dump(c, f)
        model, info = loader.from_pretrained(
            d, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[what]:
            sys.exit(f"{name}: {what}: {info[what]}")
    model.eval()
    gaps = margins(model, model.config.get_text_config()) if moe_model else []
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].float().numpy()
    logits.astype("<f4").tofile(os.path.join(folder, "logits.f32"))
    gap = min(gaps).item() if gaps else 1.0
    n = sum(int(np.prod(r[2])) for r in rows)
    print(f"{name}: seed {seed}, {n} weights, logits std {logits.std():.2f}, router margin {gap:.1e}")
    if gap < 1e-4:
        sys.exit(f"{name}: near tie in the router: choose another seed")


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for i, name in enumerate([*CASES, *VISION]):
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            make(name, 20 + i)


main()
