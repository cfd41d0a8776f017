#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/text/pipelines.txt: random tokenizer.json pipelines, assembled from the
components of Hugging Face's tokenizers, and whether each means LFM2's tokenizer.

    make_pipelines.py [SEED [COUNT]] >tests/golden/text/pipelines.txt

Needs the package tokenizers. A pipeline means LFM2's tokenizer if all ids of a probing corpus are
those of the published pipeline, with or without one BOS token before each text. The vocabulary has
merges across every boundary, so that a missing or an additional split shows.

Each line is '+' or '-' and a tokenizer.json in which @ADDED@, @VOCAB@ and @MERGES@ stand for lists
that the test fills in; special tokens are <|pad|> (id 0) and <|startoftext|> (id 1).
"""
import json
import random
import sys

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

LFM2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LFM2_128K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
             r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s")
OTHER_SPLITS = [
    r"\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|"
    r"\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    LFM2.replace("{1,3}", ""), LFM2.replace("{1,3}", "+"), LFM2.replace("(?i:", "(?:"),
    LFM2.replace(r"[\r\n]*|", "|"), LFM2.replace(r"\s*[\r\n]+|", ""),
    LFM2.replace(r"|\s+(?!\S)", ""), LFM2.replace("{1,3}", "{1,3}+"),
    LFM2.replace(r"\p{L}+", r"\p{L}++"), LFM2.replace(r"(?!\S)|\s+", r"(?!\S)|\s"),
    LFM2.replace(r"\s*[\r\n]+", r"\s*[\r\n]"), LFM2.replace(r"{L}\p{N}]+[", r"{L}\p{N}]++["),
]
WORDS = ("IT'Sx don'Tab a'llb 'reX the quick brown fox can't I'll we've she'd IT'S don'T naïve café "
         "東京都 привет мир こんにちは สวัสดี 12345 3.14 x86_64 hello,world foo_bar!! ... ??? 😀👍 "
         "½²³ ٣٤٥ \u00a0 ſ 'ſ 's ' \u2028 e\u0301 ﬁ Ⅷ").split(" ")
GAPS = [" ", "  ", "   ", "\n", "\n\n", "\r\n", " \n", "\t", "\n  ", "<|im_start|>", "MYTOKEN"]
EDGES = ["", " ", "  ", "\n", " \n ", "a", "a ", " a", "  a  ", "a\n\n  b", " 's", "x's", "123456",
         "１２３４", "\u3000x", "<|im_start|>", "a\n\n  ", "x  1"]
CONTROL = ["<|pad|>", "<|startoftext|>", "<|im_start|>", "<|im_end|>"]
USER = "MYTOKEN"


def probe(r):
    """One text of the corpus."""
    parts = []
    for _ in range(r.randint(1, 14)):
        parts.append(r.choice(WORDS + GAPS))
        parts.append(r.choice(["", "", " ", " ", "  ", "\n"]))
    return "".join(parts)


def train(r):
    """The model object of a vocabulary whose merges cross every boundary, and the added tokens."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.train_from_iterator([probe(r) for _ in range(3000)], trainers.BpeTrainer(
        vocab_size=1400, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    model = json.loads(raw.to_str())["model"]
    order = [t for t, _ in sorted(model["vocab"].items(), key=lambda e: e[1])]
    tokens = CONTROL[:2] + [t for t in order if t not in CONTROL + [USER]] + CONTROL[2:] + [USER]
    vocab = {t: i for i, t in enumerate(tokens)}
    merges = [m for m in model["merges"]
              if "".join(m) not in CONTROL + [USER] and all(t not in CONTROL + [USER] for t in m)]
    added = [{"id": vocab[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": t == USER, "special": t != USER} for t in CONTROL + [USER]]
    return vocab, merges, added


class Maker:
    """Draws random pipelines."""

    def __init__(self, r):
        self.r = r

    def chance(self, p):
        return self.r.random() < p

    def byte_level(self, prefix, regex):
        return {"type": "ByteLevel", "add_prefix_space": self.chance(prefix),
                "trim_offsets": self.chance(0.5), "use_regex": self.chance(regex)}

    def nest(self, key, steps):
        """Wraps random stretches of the steps in sequences."""
        steps = list(steps)
        for _ in range(self.r.randint(0, 2)):
            if not steps:
                steps = [{"type": "Sequence", key: []}]
                continue
            i = self.r.randrange(len(steps))
            j = self.r.randrange(i, len(steps)) + 1
            steps[i:j] = [{"type": "Sequence", key: steps[i:j]}]
        return steps[0] if len(steps) == 1 and self.chance(0.5) else {"type": "Sequence", key: steps}

    def split(self):
        q = self.r.random()
        regex = LFM2 if q < 0.5 else LFM2_128K if q < 0.75 else self.r.choice(OTHER_SPLITS)
        behavior = "Isolated" if self.chance(0.6) else self.r.choice(
            ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
        return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior,
                "invert": self.chance(0.25)}

    def pre_tokenizer(self):
        steps = [self.split() for _ in range(self.r.choice([1] * 10 + [0]))]
        if steps and self.chance(0.1):  # the same again, which changes nothing
            steps.append(dict(steps[0], behavior="Isolated"))
        if self.chance(0.1):
            steps.insert(self.r.randint(0, len(steps)), self.r.choice([
                {"type": "Digits", "individual_digits": self.chance(0.5)}, {"type": "Whitespace"},
                {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"},
                {"type": "UnicodeScripts"}, {"type": "BertPreTokenizer"},
                {"type": "CharDelimiterSplit", "delimiter": "x"}]))
        steps += [self.byte_level(0.1, 0.1) for _ in range(self.r.choice([1] * 8 + [2, 0]))]
        return self.nest("pretokenizers", steps)

    def normalizer(self):
        if self.chance(0.5):
            return None
        bert = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False,
                "strip_accents": None, "lowercase": False}
        return self.nest("normalizers", self.r.choices([
            {"type": "Replace", "pattern": {"String": "a"}, "content": "a"},
            {"type": "Replace", "pattern": {"String": "a"}, "content": "b"},
            {"type": "Strip", "strip_left": False, "strip_right": False},
            {"type": "Strip", "strip_left": True, "strip_right": False},
            {"type": "Prepend", "prepend": ""}, {"type": "Prepend", "prepend": "_"}, bert,
            dict(bert, handle_chinese_chars=True), {"type": "NFC"}, {"type": "NFKC"},
            {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "ByteLevel"}],
            weights=[5, 1, 5, 1, 5, 1, 5, 1, 1, 1, 1, 1, 1], k=self.r.choice([0, 1, 1, 2])))

    def template(self, before, after):
        bos = {"SpecialToken": {"id": CONTROL[1], "type_id": 0}}
        single = [bos] * before + [{"Sequence": {"id": "A", "type_id": 0}}] + [bos] * after
        return {"type": "TemplateProcessing", "single": single,
                "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {CONTROL[1]: {"id": CONTROL[1], "ids": [1],
                                                "tokens": [CONTROL[1]]}}}

    def post_processor(self):
        if self.chance(0.15):
            return None
        steps = [self.byte_level(0.5, 0.5) for _ in range(self.r.choice([0, 1, 1, 2]))]
        if self.chance(0.75):
            kind = (1, 0) if self.chance(0.8) else (self.r.choice([0, 1, 2]),
                                                    self.r.choice([0, 0, 1]))
            steps.insert(self.r.randint(0, len(steps)), self.template(*kind))
        if self.chance(0.1):
            steps.append(self.template(self.r.choice([0, 1]), 0))
        return self.nest("processors", steps)

    def decoder(self):
        if self.chance(0.1):
            return None
        steps = [self.byte_level(0.5, 0.5)]
        if self.chance(0.2):
            steps.append({"type": "Fuse"})
        if self.chance(0.1):
            steps.append({"type": "Strip", "content": " ", "start": 0, "stop": 0})
        return self.nest("decoders", steps)

    def model(self):
        return {"type": "BPE", "dropout": self.r.choice([None, 0.0]),
                "unk_token": self.r.choice([None, None, CONTROL[0]]),
                "continuing_subword_prefix": self.r.choice([None, ""]),
                "end_of_word_suffix": "</w>" if self.chance(0.05) else self.r.choice([None, ""]),
                "fuse_unk": self.chance(0.3), "byte_fallback": self.chance(0.3),
                "ignore_merges": self.chance(0.3), "vocab": "@VOCAB@", "merges": "@MERGES@"}

    def document(self):
        d = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": "@ADDED@",
             "normalizer": self.normalizer(), "pre_tokenizer": self.pre_tokenizer(),
             "post_processor": self.post_processor(), "decoder": self.decoder(),
             "model": self.model()}
        for key in ("truncation", "padding", "normalizer", "post_processor", "decoder"):
            if d[key] is None and self.chance(0.3):
                del d[key]
        return d


def fill(text, lists):
    for key, value in lists.items():
        text = text.replace('"@%s@"' % key, json.dumps(value))
    return text


def encode(text, corpus, special):
    """The ids of every text, or None where the tokenizers library cannot load or run it."""
    try:
        t = Tokenizer.from_str(text)
        return [t.encode(p, add_special_tokens=special).ids for p in corpus]
    except BaseException as e:  # its panics are no Exceptions
        if isinstance(e, KeyboardInterrupt):
            raise
        return None


def main():
    r = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 240
    vocab, merges, added = train(r)
    lists = {"VOCAB": vocab, "MERGES": merges, "ADDED": added}
    corpus = [probe(r) for _ in range(150)] + EDGES
    maker = Maker(r)
    published = {"version": "1.0", "added_tokens": "@ADDED@", "normalizer": None,
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                     {"type": "Split", "pattern": {"Regex": LFM2}, "behavior": "Isolated",
                      "invert": False},
                     {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                      "use_regex": False}]},
                 "post_processor": None, "decoder": None, "model": dict(maker.model())}
    right = {}
    for ignore in (False, True):
        published["model"] = dict(published["model"], ignore_merges=ignore, dropout=None,
                                  end_of_word_suffix=None)
        right[ignore] = encode(fill(json.dumps(published), lists), corpus, False)
    while count > 0:
        d = maker.document()
        text = json.dumps(d, ensure_ascii=False)
        ids = encode(fill(text, lists), corpus, True)
        if ids is None:
            continue
        plain = right[d["model"]["ignore_merges"]]
        same = ids == plain or ids == [[1] + i for i in plain]
        print("+" if same else "-", text)
        count -= 1


if __name__ == "__main__":
    main()
