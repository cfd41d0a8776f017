# SPDX-License-Identifier: Apache-2.0
"""Reads and writes checkpoint folders with the tensor names of the published models."""

import json
import os

import torch


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
    """Writes config.json and safetensors shards of at most `limit` bytes; BF16, biases F32."""
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
    """Loads a checkpoint that save wrote."""
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
