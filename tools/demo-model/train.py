# SPDX-License-Identifier: Apache-2.0
"""Train the demo model: an LFM2-MoE of about 19 M parameters, on chats made by data.py.

    python train.py --tokenizer DIR --out DIR --minutes 8

`Net` computes what transformers' Lfm2MoeForCausalLM computes, arranged for
speed: all experts as one wide product, chats packed into rows with attention
and convolution kept inside each chat.  `save` writes the tensor names of the
published checkpoints; `python train.py --selftest` checks that transformers
loads them and gives the same logits.

From --qat of the time on, the forward pass uses matrices rounded as in GGUF's
Q4_0, while gradients go to the unrounded ones.
"""
import argparse
import json
import multiprocessing as mp
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import chat_format
import data

HERE = os.path.dirname(os.path.abspath(__file__))
ROW = 1024  # tokens in a packed row


# -------------------------------------------------------------------- model

def rms(x, weight, eps=1e-5):
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


class Net(nn.Module):
    """LFM2-MoE.  Parameter names follow the checkpoint, dots replaced by '/', experts stacked."""

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
                for n, o in (("q", h), ("k", self.kv * self.hd), ("v", self.kv * self.hd), ("out", h)):
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
        """Gated short convolution; same[j] is 1 where the token j places back belongs to the same chat."""
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
            return F.linear(x, self.p[b + f"self_attn/{name}_proj/weight"]).view(n, t, count, self.hd)

        def turn(z, norm):
            z = rms(z, self.p[b + f"self_attn/{norm}_layernorm/weight"])
            a, c = z.chunk(2, -1)
            return torch.cat([a * rope[0] - c * rope[1], c * rope[0] + a * rope[1]], -1)
        q, k, v = heads("q", self.heads), heads("k", self.kv), heads("v", self.kv)
        q, k = turn(q, "q").to(v.dtype), turn(k, "k").to(v.dtype)
        g = self.heads // self.kv
        k, v = k.repeat_interleave(g, 2), v.repeat_interleave(g, 2)
        o = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
        return F.linear(o.transpose(1, 2).reshape(n, t, -1), self.p[b + "self_attn/out_proj/weight"])

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
        """ids, doc: [rows, tokens]; doc numbers the chats of a row, 0 is padding.  Returns states and loads."""
        t = ids.shape[1]
        pos = torch.arange(t, device=ids.device)
        inv = self.cfg["rope_theta"] ** (-torch.arange(0, self.hd, 2, device=ids.device).float() / self.hd)
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
            x = x + (self.conv(b, y, same) if kind == "conv" else self.attention(b, y, rope, mask)).float()
            y = rms(x, self.p[b + "ffn_norm/weight"])
            if i < self.cfg["num_dense_layers"]:
                f = b + "feed_forward/"
                g = F.silu(F.linear(y, self.p[f + "w1/weight"])) * F.linear(y, self.p[f + "w3/weight"])
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


# ------------------------------------------------------------- quantisation

def quantised(name):
    """Matrices that are Q4_0 in the file."""
    return name.endswith("weight") and any(s in name for s in ("_proj/", "/w1/", "/w2/", "/w3/"))


def q4_0(w):
    """Round to Q4_0 (blocks of 32 along rows, scale = value of largest magnitude / -8 as f16) and back."""
    x = w.bfloat16().float().reshape(-1, 32)
    top = x.gather(1, x.abs().argmax(1, keepdim=True))
    d = top / -8
    inv = torch.where(d == 0, torch.zeros_like(d), 1 / d)
    q = (x * inv + 8.5).trunc().clamp(0, 15) - 8
    return (q * d.half().float()).view_as(w)


# ---------------------------------------------------------------- optimiser

def orthogonalise(g):
    """Newton-Schulz iteration toward the nearest orthogonal matrices, batched."""
    x = g.bfloat16()
    flip = x.shape[-2] > x.shape[-1]
    x = x.mT if flip else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return (x.mT if flip else x).float()


class Muon:
    """Momentum, orthogonalised per matrix, scaled to an update of RMS 0.2."""

    def __init__(self, params, wd):
        self.wd = wd
        self.groups = {}
        for p in params:
            view = (3, p.shape[0] // 3, p.shape[1]) if p.dim() == 2 and p.shape[0] == 3 * p.shape[1] else \
                (1, *p.shape) if p.dim() == 2 else tuple(p.shape)
            self.groups.setdefault(view[1:], []).append((p, view))
        self.state = {k: torch.zeros(sum(v[0] for _, v in g), *k, device=g[0][0].device) for k, g in self.groups.items()}

    @torch.no_grad()
    def step(self, grads, lr):
        for shape, group in self.groups.items():
            g = torch.cat([grads[p].view(v) for p, v in group])
            m = self.state[shape]
            m.lerp_(g, 0.05)
            u = orthogonalise(g.lerp(m, 0.95)) * (0.2 * max(shape) ** 0.5)
            for (p, v), part in zip(group, u.split([v[0] for _, v in group])):
                p.mul_(1 - lr * self.wd).add_(part.view_as(p), alpha=-lr)


# --------------------------------------------------------------------- data

class Packer:
    """Packs chats into blocks of rows: ids, chat numbers, loss mask."""

    def __init__(self, tokenizer_dir, seed, rows):
        from tokenizers import Tokenizer
        self.tok = Tokenizer.from_file(os.path.join(tokenizer_dir, "tokenizer.json"))
        self.header = self.tok.encode("<|im_start|>assistant\n", add_special_tokens=False).ids
        self.r, self.rows, self.left = random.Random(seed), rows, []

    def chats(self, n):
        texts = [chat_format.render(data.training_chat(self.r)) for _ in range(n)]
        out = []
        for e in self.tok.encode_batch(texts, add_special_tokens=False):
            ids = e.ids
            if len(ids) > ROW:
                continue
            mask = np.zeros(len(ids), np.uint8)
            i, n_header = 0, len(self.header)
            while i < len(ids):
                if ids[i] == 6 and ids[i:i + n_header] == self.header:
                    start = i + n_header
                    end = ids.index(7, start)
                    mask[start:end + 1] = 1
                    i = end
                i += 1
            out.append((np.array(ids, np.int16), mask))
        return out

    def block(self):
        chats = self.left
        total = sum(len(c[0]) for c in chats)
        while total < self.rows * ROW * 1.01:
            new = self.chats(128)
            total += sum(len(c[0]) for c in new)
            chats = chats + new
        chats.sort(key=lambda c: -len(c[0]))
        ids = np.zeros((self.rows, ROW), np.int16)
        doc = np.zeros((self.rows, ROW), np.int16)
        mask = np.zeros((self.rows, ROW), np.uint8)
        used, count, left = [0] * self.rows, [0] * self.rows, []
        order = list(range(self.rows))
        for x, m in chats:
            for k in order:
                if used[k] + len(x) <= ROW:
                    a = used[k]
                    ids[k, a:a + len(x)], mask[k, a:a + len(x)] = x, m
                    count[k] += 1
                    doc[k, a:a + len(x)] = count[k]
                    used[k] += len(x)
                    break
            else:
                left.append((x, m))
        self.left = left if len(left) < 400 else []
        return ids, doc, mask


def worker(queue, tokenizer_dir, seed, rows):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    packer = Packer(tokenizer_dir, seed, rows)
    while True:
        queue.put(packer.block())


# --------------------------------------------------------------- checkpoint

def tensors(net):
    """Checkpoint tensors under the published names."""
    out = {}
    for name, p in net.p.items():
        full = "model." + name.replace("/", ".")
        if ".experts." in full:
            head, w = full.split(".experts.")
            for e in range(p.shape[0]):
                out[f"{head}.experts.{e}.{w}"] = p[e]
        else:
            out[full] = p
    for i in net.moe_layers():
        out[f"model.layers.{i}.feed_forward.expert_bias"] = getattr(net, f"bias{i}")
    return {k: v.detach().cpu().contiguous() for k, v in out.items()}


def save(net, out, limit=14 << 20):
    """Write config.json and safetensors shards of at most `limit` bytes: BF16, the expert bias F32."""
    from safetensors.torch import save_file
    os.makedirs(out, exist_ok=True)
    shards, size = [{}], 0
    total = 0
    for k, v in tensors(net).items():
        v = v if k.endswith("expert_bias") else v.bfloat16()
        n = v.numel() * v.element_size()
        if size + n > limit:
            shards.append({})
            size = 0
        shards[-1][k] = v.clone()
        size += n
        total += n
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for i, s in enumerate(shards):
        f = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        save_file(s, os.path.join(out, f), metadata={"format": "pt"})
        index["weight_map"].update({k: f for k in s})
    with open(os.path.join(out, "model.safetensors.index.json"), "w") as f:
        json.dump(index, f)
    with open(os.path.join(out, "config.json"), "w") as f:
        json.dump(net.cfg, f, indent=2)


def load(net, folder):
    """Load a checkpoint written by save."""
    from safetensors.torch import load_file
    t = {}
    for f in os.listdir(folder):
        if f.endswith(".safetensors"):
            t.update(load_file(os.path.join(folder, f)))
    with torch.no_grad():
        for name, p in net.p.items():
            full = "model." + name.replace("/", ".")
            if ".experts." in full:
                head, w = full.split(".experts.")
                for e in range(p.shape[0]):
                    p[e].copy_(t[f"{head}.experts.{e}.{w}"])
            else:
                p.copy_(t[full])
        for i in net.moe_layers():
            getattr(net, f"bias{i}").copy_(t[f"model.layers.{i}.feed_forward.expert_bias"])


# --------------------------------------------------------------- evaluation

@torch.no_grad()
def evaluate(net, tok, per_skill, max_new=96, batch=400):
    """Greedy exact-match accuracy per skill on held-out prompts, whole prompt recomputed each step."""
    dev = net.p["embed_tokens/weight"].device
    items = []
    for skill, chat in data.heldout_chats(per_skill):
        prompt = chat_format.render(chat_format.Chat(chat.messages[:-1], chat.tools), generation_prompt=True)
        items.append((tok.encode(prompt, add_special_tokens=False).ids, skill, chat.messages[-1]["content"]))
    items.sort(key=lambda x: len(x[0]))
    right, count, wrong = {}, {}, []
    for s in range(0, len(items), batch):
        part = items[s:s + batch]
        n = torch.tensor([len(x[0]) for x in part], device=dev)
        width = int(n.max())
        ids = torch.zeros(len(part), width + max_new, dtype=torch.long, device=dev)
        for i, x in enumerate(part):
            ids[i, :len(x[0])] = torch.tensor(x[0], device=dev)
        rows = torch.arange(len(part), device=dev)
        done = torch.zeros(len(part), dtype=torch.bool, device=dev)
        at = n.clone()
        for step in range(max_new):
            t = min(width + step + 1, ids.shape[1])
            doc = torch.ones(len(part), t, dtype=torch.long, device=dev)
            with torch.autocast(dev.type, torch.bfloat16, enabled=dev.type == "cuda"):
                states, _ = net(ids[:, :t], doc)
                nxt = net.logits(states[rows, at - 1]).argmax(-1)
            nxt = torch.where(done, torch.full_like(nxt, 7), nxt)
            ids[rows, at] = nxt
            at = at + 1
            done |= nxt == 7
            if bool(done.all()):
                break
        for i, (p, skill, expected) in enumerate(part):
            out = ids[i, len(p):].tolist()
            out = out[:out.index(7)] if 7 in out else out
            got = tok.decode(out, skip_special_tokens=False)
            count[skill] = count.get(skill, 0) + 1
            right[skill] = right.get(skill, 0) + (got == expected)
            if got != expected:
                wrong.append((skill, tok.decode(p[-40:], skip_special_tokens=False), expected, got))
    acc = {k: right[k] / count[k] for k in data.SKILLS if k in count}
    return sum(right.values()) / sum(count.values()), acc, wrong


# -------------------------------------------------------------------- main

def train(a, cfg):
    queue = mp.Queue(64)
    procs = [mp.Process(target=worker, args=(queue, a.tokenizer, a.seed * 1000 + i, a.rows), daemon=True)
             for i in range(a.workers)]
    for p in procs:
        p.start()
    from tokenizers import Tokenizer
    tok = Tokenizer.from_file(os.path.join(a.tokenizer, "tokenizer.json"))
    torch.manual_seed(a.seed)
    torch.set_float32_matmul_precision("high")
    dev = "cuda" if torch.cuda.is_available() else "cpu"
    net = Net(cfg)            # holds the weights that the forward pass uses
    if a.init:
        load(net, a.init)
    net = net.to(dev)
    print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters", flush=True)
    master = {k: p.detach().clone() for k, p in net.p.items()}
    muon_names = [k for k in net.p if quantised(k)]
    muon = Muon([master[k] for k in muon_names], a.wd)
    adam_names = [k for k in net.p if not quantised(k)]
    for k in adam_names:
        master[k].requires_grad_(True)
    adam = torch.optim.AdamW([{"params": [master[k] for k in adam_names if master[k].dim() > 1 and "conv" not in k], "weight_decay": 0.01},
                              {"params": [master[k] for k in adam_names if not (master[k].dim() > 1 and "conv" not in k)], "weight_decay": 0.0}],
                             lr=1e-3, betas=(0.9, 0.98), eps=1e-9, fused=dev == "cuda")
    loss_fn = torch.compile(net.loss) if dev == "cuda" and not a.eager else net.loss
    q4 = torch.compile(q4_0) if dev == "cuda" and not a.eager else q4_0

    def sync(qat):
        with torch.no_grad():
            for k, p in net.p.items():
                p.copy_(q4(master[k]) if qat and quantised(k) else master[k])

    def report(tag, per_skill):
        t0 = time.time()
        total, acc, wrong = evaluate(net, tok, per_skill)
        print(f"eval {tag}: {100 * total:.2f} %  ({time.time() - t0:.1f} s)  " +
              " ".join(f"{k}={100 * v:.0f}" for k, v in acc.items()), flush=True)
        return total, acc, wrong

    step, tokens, start, shown, qat = 0, 0, None, time.time(), False
    evals = [x for x in (0.3, 0.6) if a.evals]
    pause = 0.0
    while True:
        ids, doc, mask = queue.get()
        ids = torch.from_numpy(ids).to(dev, non_blocking=True).long()
        doc = torch.from_numpy(doc).to(dev, non_blocking=True).long()
        mask = torch.from_numpy(mask).to(dev, non_blocking=True)
        with torch.autocast(dev, torch.bfloat16, enabled=dev == "cuda"):
            loss, loads = loss_fn(ids, doc, mask)
        loss.backward()
        if start is None:       # the clock starts after compilation
            loss.item()
            start = time.time()
        done = (time.time() - start - pause) / (a.minutes * 60)
        lr = a.lr * min(1.0, (step + 1) / a.warmup) * min(1.0, max(0.0, (1 - done) / (1 - a.decay_from)))
        grads = {master[k]: p.grad for k, p in net.p.items()}
        total = torch.nn.utils.get_total_norm([g for k, g in zip(net.p, grads.values()) if not quantised(k)])
        scale = (1.0 / (total + 1e-6)).clamp(max=1.0)
        for k in adam_names:
            master[k].grad = net.p[k].grad * scale
        for g in adam.param_groups:
            g["lr"] = lr * a.adam_scale
        adam.step()
        muon.step(grads, lr)
        for p in net.p.values():
            p.grad = None
        with torch.no_grad():   # balance: experts used too little gain a little, the others lose
            for row, i in zip(loads, net.moe_layers()):
                bias = getattr(net, f"bias{i}")
                bias += a.bias_rate * min(1.0, 2 * (1 - done)) * torch.sign(row.float().mean() - row)
                bias -= bias.mean()
        if not qat and done >= a.qat:
            qat = True
            print(f"step {step}: Q4_0 rounding on", flush=True)
        sync(qat)
        step += 1
        tokens += ids.numel()
        if step % 100 == 0 or dev == "cpu":
            l = loads.float()
            print(f"step {step} {tokens / 1e6:.0f} M tokens loss {loss.item():.4f} lr {lr:.2e} done {done:.3f} "
                  f"{(step if dev == 'cpu' else 100) * ids.numel() / (time.time() - shown) / 1e3:.0f} k tok/s queue {queue.qsize()} "
                  f"load max/mean {(l.max(1).values / l.mean(1)).max():.2f}", flush=True)
            shown = time.time()
        if evals and done >= evals[0]:
            t0 = time.time()
            report(f"at {evals.pop(0)}", 12)
            pause += time.time() - t0
            shown = time.time()
        if done >= 1 or step == a.steps:
            break
    for p in procs:
        p.terminate()
    print(f"{step} steps, {tokens / 1e6:.1f} M tokens, {(time.time() - start - pause) / 60:.2f} minutes", flush=True)
    with torch.no_grad():
        for k in master:
            master[k].copy_(master[k].bfloat16().float())
    sync(False)
    save(net, a.out)
    result = {"steps": step, "tokens": tokens}
    for tag in ("bf16", "q4_0"):
        sync(tag == "q4_0")
        total, acc, wrong = report(tag, a.per_skill)
        result[tag] = {"all": total, "skills": acc}
    for w in wrong[:60]:
        print("wrong", *map(repr, w))
    result["bias"] = {i: [round(x, 4) for x in getattr(net, f"bias{i}").tolist()] for i in net.moe_layers()}
    with open(os.path.join(a.out, "train.json"), "w") as f:
        json.dump(result, f, indent=1)


def selftest():
    """Net and transformers agree on random weights, and chats in one row do not see each other."""
    import tempfile
    from transformers import AutoModelForCausalLM
    cfg = json.load(open(os.path.join(HERE, "config.json")))
    torch.manual_seed(0)
    net = Net(cfg)
    with torch.no_grad():
        for k, p in net.p.items():
            p.copy_((p + 0.1 * torch.randn_like(p) if "norm" in k else p * 2).bfloat16().float())
        for i in net.moe_layers():
            getattr(net, f"bias{i}").copy_(torch.randn(16) * 0.1)
    with tempfile.TemporaryDirectory() as d:
        save(net, d)
        ref, info = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, output_loading_info=True)
        print({k: v for k, v in info.items() if v})
        other = Net(cfg)
        load(other, d)
    ids = torch.randint(14, 2048, (3, 50))
    with torch.no_grad():
        want = ref(ids).logits
        got = other.logits(other(ids, torch.ones_like(ids))[0])
        print("against transformers:", (got - want).abs().max().item(), "of", want.abs().max().item())
        assert (got - want).abs().max() < 1e-3 * want.abs().max()
        row = torch.cat([ids[0], ids[1]])[None]
        doc = torch.cat([torch.ones(50), torch.full((50,), 2)]).long()[None]
        got = other.logits(other(row, doc)[0])[0].view(2, 50, -1)
        print("packed:", (got - want[:2]).abs().max().item())
        assert (got - want[:2]).abs().max() < 1e-3 * want.abs().max()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--tokenizer")
    p.add_argument("--out")
    p.add_argument("--init", help="start from this checkpoint folder")
    p.add_argument("--minutes", type=float, default=8)
    p.add_argument("--steps", type=int, default=0, help="stop after so many steps")
    p.add_argument("--rows", type=int, default=64, help="rows of 1024 tokens in a batch")
    p.add_argument("--lr", type=float, default=4e-3)
    p.add_argument("--adam-scale", type=float, default=1.0)
    p.add_argument("--wd", type=float, default=0.05)
    p.add_argument("--warmup", type=int, default=150)
    p.add_argument("--decay-from", type=float, default=0.45)
    p.add_argument("--qat", type=float, default=0.6)
    p.add_argument("--bias-rate", type=float, default=1e-3)
    p.add_argument("--workers", type=int, default=14)
    p.add_argument("--per-skill", type=int, default=50)
    p.add_argument("--evals", type=int, default=1)
    p.add_argument("--eager", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--selftest", action="store_true")
    a = p.parse_args()
    if a.selftest:
        return selftest()
    train(a, json.load(open(os.path.join(HERE, "config.json"))))


if __name__ == "__main__":
    mp.set_start_method("fork", force=True)
    main()
