# SPDX-License-Identifier: Apache-2.0
"""Measures accuracy on held-out prompts with transformers: greedy, exact match, per skill.

    python eval.py FOLDER                                # the checkpoint
    python eval.py FOLDER --gguf lfm2-demo-q4_0.gguf     # with the dequantized matrices of a GGUF

With --gguf the weights run in float32 after dequantization, so the figure shows what the rounding
to Q4_0 and Q6_K costs.
"""

import argparse
import json
import os
import random
import sys
import time

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

import chat_format
import data

HERE = os.path.dirname(os.path.abspath(__file__))


def load_gguf(model, path):
    """Copies the dequantized tensors of a GGUF file into the model, by the checkpoint's names."""
    import gguf
    import numpy as np

    import export

    back = {v: k for k, v in export.RENAME.items()}
    own = dict(model.named_parameters())
    own.update(dict(model.named_buffers()))
    experts = {}
    with torch.no_grad():
        for t in gguf.GGUFReader(path).tensors:
            x = torch.from_numpy(
                np.array(gguf.quants.dequantize(t.data, t.tensor_type), np.float32)
            )
            if t.name == "token_embd.weight":
                name = "model.embed_tokens.weight"
            elif t.name == "token_embd_norm.weight":
                name = "model.embedding_norm.weight"
            else:
                _, layer, rest = t.name.split(".", 2)
                if rest in export.EXPERTS.values():
                    experts[layer, rest] = x
                    continue
                name = f"model.layers.{layer}.{back[rest]}"
            own[name].copy_(x.view_as(own[name]))
        for layer in {k[0] for k in experts}:
            gate, up = experts[layer, "ffn_gate_exps.weight"], experts[layer, "ffn_up_exps.weight"]
            base = f"model.layers.{layer}.feed_forward.experts."
            own[base + "gate_up_proj"].copy_(torch.cat([gate, up], 1))
            own[base + "down_proj"].copy_(experts[layer, "ffn_down_exps.weight"])


@torch.no_grad()
def generate(model, prompts, max_new):
    """Greedy continuation of a batch, padded on the left (masked), up to the end token 7."""
    width = max(map(len, prompts))
    dev = model.device
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts], device=dev)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=dev)
    out = [[] for _ in prompts]
    done = [False] * len(prompts)
    past, step, pos = None, ids, (mask.cumsum(1) - 1).clamp(min=0)
    for _ in range(max_new):
        r = model(
            step,
            attention_mask=mask,
            position_ids=pos,
            past_key_values=past,
            use_cache=True,
            logits_to_keep=1,
        )
        past = r.past_key_values
        nxt = r.logits[:, -1].argmax(-1)
        for i, t in enumerate(nxt.tolist()):
            done[i] = done[i] or t == 7
            if not done[i]:
                out[i].append(t)
        if all(done):
            break
        step, pos = nxt[:, None], pos[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], 1)
    return out


def read_prompts(path, tok, limit):
    """(ids, line of the file): at most `limit` of each skill, 0: all."""
    items, count = [], {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            count[row["skill"]] = count.get(row["skill"], 0) + 1
            if limit and count[row["skill"]] > limit:
                continue
            text = chat_format.render(
                chat_format.Chat(row["messages"], row.get("tools")), generation_prompt=True
            )
            items.append((tok.encode(text, add_special_tokens=False).ids, row))
    return items


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folder")
    p.add_argument("--gguf", help="take the weights of this GGUF file, dequantized")
    p.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    p.add_argument("--file", default=os.path.join(HERE, "heldout.jsonl"))
    p.add_argument("--limit", type=int, default=0, help="prompts per skill (0: all)")
    p.add_argument("--max-new", type=int, default=128)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--device", default="cpu")
    p.add_argument("--json", help="write the figures here")
    p.add_argument("--show-wrong", type=int, default=20)
    a = p.parse_args()
    logging.set_verbosity_error()
    from tokenizers import Tokenizer

    tok = Tokenizer.from_file(os.path.join(a.folder, "tokenizer.json"))
    dtype = torch.float32 if a.gguf else getattr(torch, a.dtype)
    model = AutoModelForCausalLM.from_pretrained(a.folder, dtype=dtype).eval()
    if a.gguf:
        load_gguf(model, a.gguf)
    model = model.to(a.device)
    items = read_prompts(a.file, tok, a.limit)
    # prompts and answers of similar length share a batch, so that little is padded
    items.sort(key=lambda x: (len(x[0]) // 32, len(x[1]["expected"]), len(x[0])))
    right, total, wrong = {}, {}, []
    start = time.time()
    for k in range(0, len(items), a.batch):
        batch = items[k : k + a.batch]
        outs = generate(model, [x[0] for x in batch], a.max_new)
        for (_, row), out in zip(batch, outs):
            got = tok.decode(out, skip_special_tokens=False)
            s = row["skill"]
            total[s] = total.get(s, 0) + 1
            right[s] = right.get(s, 0) + (got == row["expected"])
            if got != row["expected"]:
                wrong.append((s, row["messages"][-1]["content"], row["expected"], got))
        print(
            f"{k + len(batch)} of {len(items)}, {len(wrong)} wrong, {time.time() - start:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    random.Random(0).shuffle(wrong)
    for w in wrong[: a.show_wrong]:
        print("wrong:", *map(repr, w))
    for s in data.SKILLS:
        if s in total:
            print(f"{s:14s} {right[s]:4d} / {total[s]:4d}  {100 * right[s] / total[s]:6.1f} %")
    n, m = sum(right.values()), sum(total.values())
    print(f"{'all':14s} {n:4d} / {m:4d}  {100 * n / m:6.2f} %   ({time.time() - start:.0f} s)")
    if a.json:
        with open(a.json, "w") as f:
            json.dump(
                {"all": [n, m], "skills": {s: [right[s], total[s]] for s in total}}, f, indent=1
            )


if __name__ == "__main__":
    main()
