# SPDX-License-Identifier: Apache-2.0
"""Trains the demo model: an LFM2-MoE of about 19 M parameters, on chats made by data.py.

    python train.py --tokenizer DIR --out DIR --minutes 8

From the fraction --qat of the time on, the forward pass uses matrices rounded as in GGUF's Q4_0,
while gradients go to the unrounded ones. `python train.py --selftest` checks that transformers
loads a checkpoint of net.py and computes the same logits.
"""

import argparse
import json
import multiprocessing as mp
import os
import time

import torch

from checkpoint import load, save
from evaluation import evaluate
from net import Net, q4_0, quantized
from optimizer import Muon
from packing import worker

HERE = os.path.dirname(os.path.abspath(__file__))


class Trainer:
    """The weights and optimizers of a training.

    `net` has the weights that the forward pass uses, `master` the unrounded ones by name.
    """

    def __init__(self, a, cfg, tok):
        torch.manual_seed(a.seed)
        torch.set_float32_matmul_precision("high")
        self.a, self.tok = a, tok
        self.dev = "cuda" if torch.cuda.is_available() else "cpu"
        net = Net(cfg)
        if a.init:
            load(net, a.init)
        self.net = net = net.to(self.dev)
        print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters", flush=True)
        self.master = {k: p.detach().clone() for k, p in net.p.items()}
        self.make_optimizers()
        compiled = self.dev == "cuda" and not a.eager
        self.loss = torch.compile(net.loss) if compiled else net.loss
        self.q4 = torch.compile(q4_0) if compiled else q4_0

    def make_optimizers(self):
        """Muon for the matrices that are Q4_0 in the file, AdamW for all other tensors."""
        master = self.master
        self.muon = Muon([master[k] for k in master if quantized(k)], self.a.wd)
        self.adam_names = [k for k in master if not quantized(k)]
        for k in self.adam_names:
            master[k].requires_grad_(True)
        decayed = [k for k in self.adam_names if master[k].dim() > 1 and "conv" not in k]
        others = [k for k in self.adam_names if k not in decayed]
        self.adam = torch.optim.AdamW(
            [
                {"params": [master[k] for k in decayed], "weight_decay": 0.01},
                {"params": [master[k] for k in others], "weight_decay": 0.0},
            ],
            lr=1e-3,
            betas=(0.9, 0.98),
            eps=1e-9,
            fused=self.dev == "cuda",
        )

    def sync(self, qat):
        """Copies the unrounded weights into the net, rounded to Q4_0 if qat is set."""
        with torch.no_grad():
            for k, p in self.net.p.items():
                m = self.master[k]
                p.copy_(self.q4(m) if qat and quantized(k) else m)

    def report(self, tag, per_skill):
        t0 = time.time()
        total, acc, wrong = evaluate(self.net, self.tok, per_skill)
        skills = " ".join(f"{k}={100 * v:.0f}" for k, v in acc.items())
        print(f"eval {tag}: {100 * total:.2f} %  ({time.time() - t0:.1f} s)  {skills}", flush=True)
        return total, acc, wrong

    def gradients(self, block):
        """Loss and expert loads of a block; the gradients are in the net's parameters."""
        ids, doc, mask = (torch.from_numpy(x).to(self.dev, non_blocking=True) for x in block)
        with torch.autocast(self.dev, torch.bfloat16, enabled=self.dev == "cuda"):
            loss, loads = self.loss(ids.long(), doc.long(), mask)
        loss.backward()
        return loss, loads

    def update(self, loads, lr, done):
        """One step of the optimizers and of the selection biases; done: fraction of the time."""
        net, master, a = self.net, self.master, self.a
        grads = {master[k]: p.grad for k, p in net.p.items()}
        others = [g for k, g in zip(net.p, grads.values()) if not quantized(k)]
        total = torch.nn.utils.get_total_norm(others)
        scale = (1.0 / (total + 1e-6)).clamp(max=1.0)
        for k in self.adam_names:
            master[k].grad = net.p[k].grad * scale
        for g in self.adam.param_groups:
            g["lr"] = lr * a.adam_scale
        self.adam.step()
        self.muon.step(grads, lr)
        for p in net.p.values():
            p.grad = None
        with torch.no_grad():  # experts that are used too little gain a little bias, others lose
            for row, i in zip(loads, net.moe_layers()):
                bias = getattr(net, f"bias{i}")
                step = a.bias_rate * min(1.0, 2 * (1 - done))
                bias += step * torch.sign(row.float().mean() - row)
                bias -= bias.mean()

    def run(self, queue):
        """Trains until the time or the steps are over; returns (steps, tokens)."""
        a, dev = self.a, self.dev
        step, tokens, start, shown, qat, pause = 0, 0, None, time.time(), False, 0.0
        evals = [x for x in (0.3, 0.6) if a.evals]
        done = 0.0
        while done < 1 and (step == 0 or step != a.steps):
            block = queue.get()
            loss, loads = self.gradients(block)
            if start is None:  # the clock starts after compilation
                loss.item()
                start = time.time()
            done = (time.time() - start - pause) / (a.minutes * 60)
            warm = min(1.0, (step + 1) / a.warmup)
            lr = a.lr * warm * min(1.0, max(0.0, (1 - done) / (1 - a.decay_from)))
            self.update(loads, lr, done)
            if not qat and done >= a.qat:
                qat = True
                print(f"step {step}: Q4_0 rounding on", flush=True)
            self.sync(qat)
            step += 1
            tokens += block[0].size
            if step % 100 == 0 or dev == "cpu":
                load_max = (loads.float().max(1).values / loads.float().mean(1)).max()
                rate = (step if dev == "cpu" else 100) * block[0].size / (time.time() - shown) / 1e3
                print(
                    f"step {step} {tokens / 1e6:.0f} M tokens loss {loss.item():.4f} lr {lr:.2e} "
                    f"done {done:.3f} {rate:.0f} k tok/s queue {queue.qsize()} "
                    f"load max/mean {load_max:.2f}",
                    flush=True,
                )
                shown = time.time()
            if evals and done >= evals[0]:
                t0 = time.time()
                self.report(f"at {evals.pop(0)}", 12)
                pause += time.time() - t0
                shown = time.time()
        minutes = (time.time() - start - pause) / 60
        print(f"{step} steps, {tokens / 1e6:.1f} M tokens, {minutes:.2f} minutes", flush=True)
        return step, tokens

    def finish(self, step, tokens):
        """Rounds the weights to BF16, writes the checkpoint and train.json with the accuracy."""
        net, out = self.net, self.a.out
        with torch.no_grad():
            for m in self.master.values():
                m.copy_(m.bfloat16().float())
        self.sync(False)
        save(net, out)
        result = {"steps": step, "tokens": tokens}
        for tag in ("bf16", "q4_0"):
            self.sync(tag == "q4_0")
            total, acc, wrong = self.report(tag, self.a.per_skill)
            result[tag] = {"all": total, "skills": acc}
        for w in wrong[:60]:
            print("wrong", *map(repr, w))
        biases = {i: getattr(net, f"bias{i}").tolist() for i in net.moe_layers()}
        result["bias"] = {i: [round(x, 4) for x in bias] for i, bias in biases.items()}
        with open(os.path.join(out, "train.json"), "w") as f:
            json.dump(result, f, indent=1)


def train(a, cfg):
    queue = mp.Queue(64)
    procs = [
        mp.Process(target=worker, args=(queue, a.tokenizer, a.seed * 1000 + i, a.rows), daemon=True)
        for i in range(a.workers)
    ]
    for p in procs:
        p.start()
    from tokenizers import Tokenizer

    tok = Tokenizer.from_file(os.path.join(a.tokenizer, "tokenizer.json"))
    trainer = Trainer(a, cfg, tok)
    step, tokens = trainer.run(queue)
    for p in procs:
        p.terminate()
    trainer.finish(step, tokens)


def selftest():
    """Checks that Net and transformers agree, and that the chats of a row are independent."""
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
        ref, info = AutoModelForCausalLM.from_pretrained(
            d, dtype=torch.float32, output_loading_info=True
        )
        print({k: v for k, v in info.items() if v})
        other = Net(cfg)
        load(other, d)
    ids = torch.randint(14, 2048, (3, 50))
    with torch.no_grad():
        want = ref(ids).logits
        got = other.logits(other(ids, torch.ones_like(ids))[0])
        print(
            "against transformers:", (got - want).abs().max().item(), "of", want.abs().max().item()
        )
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
    p.add_argument(
        "--steps", type=int, default=0, help="stop after this number of steps (0: no limit)"
    )
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
