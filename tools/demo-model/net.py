# SPDX-License-Identifier: Apache-2.0
"""The model: what transformers' Lfm2MoeForCausalLM computes, and rounding to Q4_0."""

import torch
import torch.nn.functional as F
from torch import nn


def rms(x, weight, eps=1e-5):
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


class Net(nn.Module):
    """LFM2-MoE. Parameter names follow the checkpoint, with '/' for dots and stacked experts.

    All experts are one wide product. Chats are packed into rows; attention and convolution stay
    inside each chat.
    """

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        h, e, m = cfg["hidden_size"], cfg["num_experts"], cfg["moe_intermediate_size"]
        self.heads, self.kv = cfg["num_attention_heads"], cfg["num_key_value_heads"]
        self.hd = h // self.heads
        self.top = cfg["num_experts_per_tok"]
        self.p = nn.ParameterDict()

        def mat(name, *shape, std=None):
            self.p[name] = nn.Parameter(torch.randn(*shape) * (std or 0.5 * shape[-1] ** -0.5))

        mat("embed_tokens/weight", cfg["vocab_size"], h, std=0.02)
        self.p["embedding_norm/weight"] = nn.Parameter(torch.ones(h))
        for i, kind in enumerate(cfg["layer_types"]):
            b = f"layers/{i}/"
            self.p[b + "operator_norm/weight"] = nn.Parameter(torch.ones(h))
            self.p[b + "ffn_norm/weight"] = nn.Parameter(torch.ones(h))
            if kind == "conv":
                mat(b + "conv/in_proj/weight", 3 * h, h)
                mat(b + "conv/conv/weight", h, 1, cfg["conv_L_cache"], std=0.4)
                mat(b + "conv/out_proj/weight", h, h)
            else:
                for n, o in (
                    ("q", h),
                    ("k", self.kv * self.hd),
                    ("v", self.kv * self.hd),
                    ("out", h),
                ):
                    mat(b + f"self_attn/{n}_proj/weight", o, h)
                self.p[b + "self_attn/q_layernorm/weight"] = nn.Parameter(torch.ones(self.hd))
                self.p[b + "self_attn/k_layernorm/weight"] = nn.Parameter(torch.ones(self.hd))
            f = b + "feed_forward/"
            if i < cfg["num_dense_layers"]:
                d = cfg["intermediate_size"]
                mat(f + "w1/weight", d, h), mat(f + "w3/weight", d, h), mat(f + "w2/weight", h, d)
            else:
                mat(f + "gate/weight", e, h, std=0.02)
                self.register_buffer(f"bias{i}", torch.zeros(e))
                mat(f + "experts/w1/weight", e, m, h), mat(f + "experts/w3/weight", e, m, h)
                mat(f + "experts/w2/weight", e, h, m)

    def conv(self, b, x, same):
        """Gated short convolution; same[j] is 1 if the token j back is of the same chat."""
        bb, c, v = F.linear(x, self.p[b + "conv/in_proj/weight"]).chunk(3, -1)
        u = (bb * v).float()
        k = self.p[b + "conv/conv/weight"][:, 0]
        y = k[:, 2] * u
        for j in (1, 2):
            y = y + k[:, 2 - j] * F.pad(u, (0, 0, j, 0))[:, :-j] * same[j]
        return F.linear((c * y).to(x.dtype), self.p[b + "conv/out_proj/weight"])

    def attention(self, b, x, rope, mask):
        n, t, _ = x.shape

        def heads(name, count):
            return F.linear(x, self.p[b + f"self_attn/{name}_proj/weight"]).view(
                n, t, count, self.hd
            )

        def rotated(z, norm):
            z = rms(z, self.p[b + f"self_attn/{norm}_layernorm/weight"])
            a, c = z.chunk(2, -1)
            return torch.cat([a * rope[0] - c * rope[1], c * rope[0] + a * rope[1]], -1)

        q, k, v = heads("q", self.heads), heads("k", self.kv), heads("v", self.kv)
        q, k = rotated(q, "q").to(v.dtype), rotated(k, "k").to(v.dtype)
        g = self.heads // self.kv
        k, v = k.repeat_interleave(g, 2), v.repeat_interleave(g, 2)
        o = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask
        )
        return F.linear(
            o.transpose(1, 2).reshape(n, t, -1), self.p[b + "self_attn/out_proj/weight"]
        )

    def moe(self, i, x, x32, real):
        f = f"layers/{i}/feed_forward/"
        with torch.autocast(x.device.type, enabled=False):
            p = torch.sigmoid(F.linear(x32, self.p[f + "gate/weight"].float()))
            chosen = (p.detach() + getattr(self, f"bias{i}")).topk(self.top, -1).indices
            w = p.gather(-1, chosen)
            w = w / (w.sum(-1, keepdim=True) + 1e-6)
            comb = torch.zeros_like(p).scatter(-1, chosen, w)
        load = ((comb > 0) * real[..., None]).sum((0, 1))
        e, m, h = self.p[f + "experts/w1/weight"].shape
        g = F.silu(F.linear(x, self.p[f + "experts/w1/weight"].reshape(e * m, h)))
        g = g * F.linear(x, self.p[f + "experts/w3/weight"].reshape(e * m, h))
        g = (g.view(*g.shape[:-1], e, m) * comb[..., None].to(g.dtype)).flatten(-2)
        return F.linear(g, self.p[f + "experts/w2/weight"].transpose(0, 1).reshape(h, e * m)), load

    def forward(self, ids, doc):
        """States and expert loads; ids, doc: [rows, tokens]. doc numbers the chats, 0: padding."""
        t = ids.shape[1]
        pos = torch.arange(t, device=ids.device)
        inv = self.cfg["rope_theta"] ** (
            -torch.arange(0, self.hd, 2, device=ids.device).float() / self.hd
        )
        ang = (pos[:, None].float() * inv)[None, :, None]
        rope = (ang.cos(), ang.sin())
        mask = ((doc[:, :, None] == doc[:, None, :]) & (pos[:, None] >= pos))[:, None]
        same = {j: (F.pad(doc, (j, 0), value=-1)[:, :-j] == doc)[..., None].float() for j in (1, 2)}
        real = doc > 0
        x = F.embedding(ids, self.p["embed_tokens/weight"])
        loads = []
        for i, kind in enumerate(self.cfg["layer_types"]):
            b = f"layers/{i}/"
            y = rms(x, self.p[b + "operator_norm/weight"])
            x = (
                x
                + (
                    self.conv(b, y, same) if kind == "conv" else self.attention(b, y, rope, mask)
                ).float()
            )
            y = rms(x, self.p[b + "ffn_norm/weight"])
            if i < self.cfg["num_dense_layers"]:
                f = b + "feed_forward/"
                g = F.silu(F.linear(y, self.p[f + "w1/weight"])) * F.linear(
                    y, self.p[f + "w3/weight"]
                )
                x = x + F.linear(g, self.p[f + "w2/weight"]).float()
            else:
                lo = y.to(torch.bfloat16) if torch.is_autocast_enabled(x.device.type) else y
                out, load = self.moe(i, lo, y, real)
                loads.append(load)
                x = x + out.float()
        return rms(x, self.p["embedding_norm/weight"]), torch.stack(loads)

    def logits(self, states):
        return F.linear(states, self.p["embed_tokens/weight"])

    def loss(self, ids, doc, mask):
        states, loads = self(ids, doc)
        logits = self.logits(states[:, :-1]).float()
        ce = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        m = mask[:, 1:].flatten().float()
        return (ce * m).sum() / m.sum(), loads

    def moe_layers(self):
        return range(self.cfg["num_dense_layers"], self.cfg["num_hidden_layers"])


def quantized(name):
    """Whether the matrix is Q4_0 in the file."""
    return name.endswith("weight") and any(s in name for s in ("_proj/", "/w1/", "/w2/", "/w3/"))


def q4_0(w):
    """Rounds to Q4_0 and back: blocks of 32 along rows, scale = largest magnitude / -8 as f16."""
    x = w.bfloat16().float().reshape(-1, 32)
    top = x.gather(1, x.abs().argmax(1, keepdim=True))
    d = top / -8
    inv = torch.where(d == 0, torch.zeros_like(d), 1 / d)
    q = (x * inv + 8.5).trunc().clamp(0, 15) - 8
    return (q * d.half().float()).view_as(w)
