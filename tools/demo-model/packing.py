# SPDX-License-Identifier: Apache-2.0
"""Packs chats into rows of tokens for training."""

import os
import random

import numpy as np
import torch

import chat_format
import data

ROW = 1024  # tokens in a packed row


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
                if ids[i] == 6 and ids[i : i + n_header] == self.header:
                    start = i + n_header
                    end = ids.index(7, start)
                    mask[start : end + 1] = 1
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
                    ids[k, a : a + len(x)], mask[k, a : a + len(x)] = x, m
                    count[k] += 1
                    doc[k, a : a + len(x)] = count[k]
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
