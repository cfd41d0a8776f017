#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/sampler.txt: which tokens the logits processors of Hugging Face transformers
leave, and with which probabilities.

One case is a line of options (name=value), `seen` ids (the text so far), `bias` pairs id:value,
`logits`, then `kept` pairs id:probability. Logits are multiples of 1/64 and so exact in decimal.

  make_sampler.py      needs numpy, torch, transformers
"""
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList, MinPLogitsWarper, RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sampler.txt")
VOCAB = 48
CASES = [
    dict(temperature=1.0),
    dict(temperature=0.3, min_p=0.15, repetition_penalty=1.05),  # the model card's
    dict(temperature=0.7, top_k=5),
    dict(temperature=1.3, top_p=0.9),
    dict(temperature=0.8, min_p=0.05),
    dict(temperature=1.0, top_k=20, top_p=0.8),
    dict(temperature=1.5, top_k=30, top_p=0.95, min_p=0.1),
    dict(temperature=2.0, repetition_penalty=1.8, top_p=0.7),
    dict(temperature=0.9, repetition_penalty=0.6, min_p=0.02),
    dict(temperature=1.0, top_k=1),
    dict(temperature=1.0, top_p=0.01),
    dict(temperature=1.0, min_p=1.0),
    dict(temperature=1.0, bias=3, top_k=8),
    dict(temperature=0.6, bias=6, repetition_penalty=1.3, top_k=12, top_p=0.9, min_p=0.05),
]


def main():
    rng = np.random.default_rng(7)
    lines = ["# made by make_sampler.py"]
    for case in CASES:
        logits = np.round(rng.normal(0, 2.5 * case["temperature"], VOCAB) * 64) / 64
        while len(set(logits)) < VOCAB:  # no ties: their order is not defined there
            logits = np.round(rng.normal(0, 2.5 * case["temperature"], VOCAB) * 64) / 64
        seen = rng.integers(0, VOCAB, 12)
        bias = {int(i): float(np.round(rng.normal(0, 4) * 4) / 4)
                for i in rng.choice(VOCAB, case.get("bias", 0), replace=False)}
        chain = LogitsProcessorList()
        if bias:
            chain.append(SequenceBiasLogitsProcessor({(i,): b for i, b in bias.items()}))
        if "repetition_penalty" in case:
            chain.append(RepetitionPenaltyLogitsProcessor(case["repetition_penalty"]))
        chain.append(TemperatureLogitsWarper(case["temperature"]))
        if "top_k" in case:
            chain.append(TopKLogitsWarper(case["top_k"]))
        if "top_p" in case:
            chain.append(TopPLogitsWarper(case["top_p"]))
        if "min_p" in case:
            chain.append(MinPLogitsWarper(case["min_p"]))
        scores = chain(torch.tensor(seen)[None], torch.tensor(logits, dtype=torch.float32)[None])[0]
        p = torch.softmax(scores.double(), -1)
        lines.append("options " + " ".join(f"{k}={v}" for k, v in case.items() if k != "bias"))
        lines.append("seen " + " ".join(str(i) for i in seen))
        lines.append("bias " + " ".join(f"{i}:{b}" for i, b in bias.items()))
        lines.append("logits " + " ".join(str(x) for x in logits))
        lines.append("kept " + " ".join(f"{i}:{v:.9g}" for i, v in enumerate(p.tolist()) if v > 0))
    with open(OUT, "w") as f:
        f.write("\n".join(lines) + "\n")


main()
