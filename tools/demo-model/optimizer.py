# SPDX-License-Identifier: Apache-2.0
"""Muon, the optimizer of the matrices."""

import torch


def orthogonalize(g):
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
    """Momentum, orthogonalized for each matrix, scaled to an update of RMS 0.2."""

    def __init__(self, params, wd):
        self.wd = wd
        self.groups = {}
        for p in params:
            view = (
                (3, p.shape[0] // 3, p.shape[1])
                if p.dim() == 2 and p.shape[0] == 3 * p.shape[1]
                else (1, *p.shape) if p.dim() == 2 else tuple(p.shape)
            )
            self.groups.setdefault(view[1:], []).append((p, view))
        self.state = {
            k: torch.zeros(sum(v[0] for _, v in g), *k, device=g[0][0].device)
            for k, g in self.groups.items()
        }

    @torch.no_grad()
    def step(self, grads, lr):
        for shape, group in self.groups.items():
            g = torch.cat([grads[p].view(v) for p, v in group])
            m = self.state[shape]
            m.lerp_(g, 0.05)
            u = orthogonalize(g.lerp(m, 0.95)) * (0.2 * max(shape) ** 0.5)
            for (p, v), update in zip(group, u.split([v[0] for _, v in group])):
                p.mul_(1 - lr * self.wd).add_(update.view_as(p), alpha=-lr)
