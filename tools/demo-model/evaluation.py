# SPDX-License-Identifier: Apache-2.0
"""Accuracy on held-out prompts during training."""

import torch

import chat_format
import data

END = 7  # the end token of a message


def heldout_items(tok, per_skill):
    """(ids of the prompt, skill, expected answer), short prompts first."""
    items = []
    for skill, chat in data.heldout_chats(per_skill):
        prompt = chat_format.Chat(chat.messages[:-1], chat.tools)
        text = chat_format.render(prompt, generation_prompt=True)
        ids = tok.encode(text, add_special_tokens=False).ids
        items.append((ids, skill, chat.messages[-1]["content"]))
    items.sort(key=lambda x: len(x[0]))
    return items


def generate(net, prompts, max_new):
    """Greedy continuation of a batch of prompts; each step computes the whole text again."""
    dev = net.p["embed_tokens/weight"].device
    n = torch.tensor([len(p) for p in prompts], device=dev)
    width = int(n.max())
    ids = torch.zeros(len(prompts), width + max_new, dtype=torch.long, device=dev)
    for i, p in enumerate(prompts):
        ids[i, : len(p)] = torch.tensor(p, device=dev)
    rows = torch.arange(len(prompts), device=dev)
    done = torch.zeros(len(prompts), dtype=torch.bool, device=dev)
    at = n.clone()
    for step in range(max_new):
        t = min(width + step + 1, ids.shape[1])
        doc = torch.ones(len(prompts), t, dtype=torch.long, device=dev)
        with torch.autocast(dev.type, torch.bfloat16, enabled=dev.type == "cuda"):
            states, _ = net(ids[:, :t], doc)
            nxt = net.logits(states[rows, at - 1]).argmax(-1)
        nxt = torch.where(done, torch.full_like(nxt, END), nxt)
        ids[rows, at] = nxt
        at = at + 1
        done |= nxt == END
        if bool(done.all()):
            break
    outs = [ids[i, len(p) :].tolist() for i, p in enumerate(prompts)]
    return [out[: out.index(END)] if END in out else out for out in outs]


@torch.no_grad()
def evaluate(net, tok, per_skill, max_new=96, batch=400):
    """Exact-match accuracy in all and by skill, and the wrong answers."""
    items = heldout_items(tok, per_skill)
    right, count, wrong = {}, {}, []
    for s in range(0, len(items), batch):
        some = items[s : s + batch]
        for (p, skill, expected), out in zip(some, generate(net, [x[0] for x in some], max_new)):
            got = tok.decode(out, skip_special_tokens=False)
            count[skill] = count.get(skill, 0) + 1
            right[skill] = right.get(skill, 0) + (got == expected)
            if got != expected:
                asked = tok.decode(p[-40:], skip_special_tokens=False)
                wrong.append((skill, asked, expected, got))
    acc = {k: right[k] / count[k] for k in data.SKILLS if k in count}
    return sum(right.values()) / sum(count.values()), acc, wrong
