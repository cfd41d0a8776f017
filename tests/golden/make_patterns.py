#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/patterns.jsonl: patterns, texts, and which of them Python's `re` matches.
Each pattern means the same in ECMA-262, for texts of these characters, once `$` is written `\\Z`.

  make_patterns.py [--seed S] [--count N] [--out FILE]
"""
import argparse
import json
import os
import random
import re

HERE = os.path.dirname(os.path.abspath(__file__))
ATOMS = ["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", "é", r"\.", "[é-λ]", r"\s", r"\S",
         "x", r"[^\d]", r"\W", r"\D", r"[\w.]", r"\x61", r"\u00e9", "[^é.]", r"[\s\d]", "☃", "[☃𝄞-𝄟]"]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??", "{1,2}?", "{0}"]
TEXT = "abcx1 é.λ_\n☃𝄞"


def pattern(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.3:
        return rng.choice(ATOMS)
    if kind < 0.5:
        return pattern(rng, depth - 1) + pattern(rng, depth - 1)
    if kind < 0.65:
        return "(" + pattern(rng, depth - 1) + "|" + pattern(rng, depth - 1) + ")"
    if kind < 0.85:
        return "(?:" + pattern(rng, depth - 1) + ")" + rng.choice(QUANTIFIERS)
    if kind < 0.9:
        return "^" + pattern(rng, depth - 1)
    if kind < 0.95:
        return pattern(rng, depth - 1) + "$"
    return "(" + pattern(rng, depth - 1) + "|)"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--out", default=os.path.join(HERE, "text", "patterns.jsonl"))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with open(args.out, "w", encoding="utf-8") as out:
        for _ in range(args.count):
            source = pattern(rng, 5)
            search = rng.random() < 0.5
            compiled = re.compile(source.replace("$", r"\Z"), re.ASCII)
            texts = ["".join(rng.choice(TEXT) for _ in range(rng.randint(0, 6))) for _ in range(8)]
            match = compiled.search if search else compiled.fullmatch
            want = "".join("1" if match(t) else "0" for t in texts)
            case = {"p": source, "search": search, "t": texts, "m": want}
            print(json.dumps(case, ensure_ascii=False), file=out)


if __name__ == "__main__":
    main()
