#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/text/: what Hugging Face's tokenizers and transformers do with a small
tokenizer of LFM2's kind. The C tests replay it.

  make_text.py           writes all files beside this script
  make_text.py --show S  prints the reference's ids of the string S (Python escapes allowed)

Needs the packages tokenizers and transformers. Files:

  classes.txt  ranges of letters (L), numbers (N), white space (S) as the reference's regular
               expressions see them: "L 41 5A", code points in hexadecimal
  vocab.bin    the tokenizer: see write_vocab
  strings.bin  strings with hashes of their ids: see write_strings
  chat.jsonl   conversations, their text and the hash of their ids: see make_chats
"""
import ast
import json
import os
import random
import re
import struct
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "text")

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CONTROL = ["<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|fim_pre|>", "<|fim_mid|>",
           "<|fim_suf|>", "<|im_start|>", "<|im_end|>", "<|tool_list_start|>", "<|tool_list_end|>",
           "<|tool_call_start|>", "<|tool_call_end|>", "<|tool_response_start|>",
           "<|tool_response_end|>"] + ["<|reserved_%d|>" % i for i in range(4, 40)]
LATE_CONTROL = ["<|cot_start|>", "<|cot_end|>", "<|im_end|>!!"]  # the last one: longest wins
USER = ["Mathias", "python", "Math"]  # added, not special, in the middle of the vocabulary
UNUSED = 16
NORMAL_KIND, CONTROL_KIND, USER_KIND, UNUSED_KIND = 1, 3, 4, 5
VOCAB = 4000

SCRIPTS = {  # syllables for made-up words
    "latin": "ba de ki lo mu ran ster ing tion pre con al en the of and é ñ ü ç ß ş ğ".split(),
    "greek": "κα λο γι ος στη με του αν".split(),
    "cyrillic": "го ра на пре ние ст ый ла по щ ё".split(),
    "arabic": "ال من في كت ب سلا م ون".split(),
    "hebrew": "של ום את הב ים ל".split(),
    "devanagari": "न म स्ते क्या है का की ं".split(),
    "bengali": "আ মি বাং লা র ি".split(),
    "tamil": "வ ண க்க ம் நா".split(),
    "thai": "สวั ส ดี ครั บ ไทย".split(),
    "han": "我 是 的 不 人 在 他 有 这 中 大 来 上 国 日 本 語 学".split(),
    "kana": "こ ん に ち は です ます カ タ ナ ー".split(),
    "hangul": "안 녕 하 세 요 한 국 어 는".split(),
    "georgian": "გა მარ ჯო ბა".split(),
    "armenian": "բա րև հա յ".split(),
    "ethiopic": "ሰላ ም አማ ርኛ".split(),
}
ENGLISH = ("the of and to in is that it was for on are as with his they be at one have this from "
           "or had by hot word but what some we can out other were all there when up use your how "
           "said an each she which do their time if will way about many then them write would "
           "like so these her long make thing see him two has look more day could go come did "
           "number sound no most people my over know water than call first who may down side been "
           "now find Python Math Mathias python function return import class def self None true "
           "false error message value string model token I'm you're don't we'll they've he'd "
           "it's Hello World New York London").split()


def fnv(ids):
    h = 0xCBF29CE484222325
    for byte in struct.pack("<%dI" % len(ids), *ids):
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


# ---- The tokenizer -------------------------------------------------------------------------------

def made_up_word(r, script):
    return "".join(r.choice(SCRIPTS[script]) for _ in range(r.randint(1, 4)))


def training_text(r):
    """Lines of prose, code and lists in all scripts, words by Zipf's law."""
    lexicon = {s: [made_up_word(r, s) for _ in range(220)] for s in SCRIPTS}
    lexicon["latin"] += ENGLISH * 3
    lines = []
    for _ in range(14000):
        script = r.choice(list(SCRIPTS) + ["latin"] * 10)
        words = lexicon[script]
        line = []
        for _ in range(r.randint(3, 14)):
            word = words[min(int(r.paretovariate(0.7)) - 1, len(words) - 1)]
            word = r.choice([word, word, word, word.capitalize(), word.upper()])
            line.append(word + r.choice(["", "", "", "", ",", ".", ":", "!", "()", " = %d" %
                                         r.randint(0, 9999), "-" + word]))
        if r.random() < 0.05:
            line.append(r.choice(USER))
        space = "" if script in ("han", "kana", "thai") else " "
        lines.append(r.choice(["", "", "    ", "\t", "- ", "# "]) + space.join(line) +
                     r.choice(["\n", "\n", "\n\n", " \n", "\r\n", ";\n", "…\n", " 😀\n"]))
    return lines


def train(r):
    """Trains a BPE and arranges its vocabulary like LFM2's. Returns the vocabulary (token -> id),
    the merges and the kind of each id."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    unmerged = ["ĠKubernetes", "Ġpneumonia", "Zzyzx", "ĊĊĊĠĠ", "âĢĶâĢĶâĢĶ", "Ġthere'", "ĠĠx", "999",
                "Ġqwertyuiop", "çļĦä¸Ń", "Ã©Ãł", "'LL"]
    size = VOCAB - len(CONTROL) - len(LATE_CONTROL) - len(unmerged)
    raw.train_from_iterator(training_text(r), trainers.BpeTrainer(
        vocab_size=size, show_progress=False, min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    model = json.loads(raw.to_str())["model"]
    trained = [t for t, _ in sorted(model["vocab"].items(), key=lambda e: e[1])]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    # Entries that no merges rebuild: what ignore_merges is about.
    unmerged = [t for t in unmerged if t not in model["vocab"]]
    middle = len(trained) // 2
    order = CONTROL + trained[:middle] + unmerged + trained[middle:]
    assert all(t in model["vocab"] for t in USER)  # both made by merges and added
    order += LATE_CONTROL
    kinds = [CONTROL_KIND if t in CONTROL + LATE_CONTROL else USER_KIND if t in USER else
             NORMAL_KIND for t in order]
    return {t: i for i, t in enumerate(order)}, merges, kinds


def make_tokenizer(vocab, merges, ignore_merges):
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(c, special=True, normalized=False)
                          for c in CONTROL + LATE_CONTROL])
    t.add_tokens([AddedToken(u, special=False, normalized=True) for u in USER])
    assert t.get_vocab_size() == len(vocab)
    return t


class Reference:
    """The four ways to encode: control tokens off / on, merges applied / ignored."""

    def __init__(self):
        self.vocab, self.merges, self.kinds = train(random.Random(1))
        self.apply = make_tokenizer(self.vocab, self.merges, False)
        self.ignore = make_tokenizer(self.vocab, self.merges, True)
        self.split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
        alphabet = {}
        spare = 0x100
        for b in range(256):
            if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE:
                alphabet[b] = chr(b)
            else:
                alphabet[b] = chr(spare)
                spare += 1
        self.alphabet = alphabet

    def ids(self, text, special, ignore=False):
        t = self.ignore if ignore else self.apply
        t.encode_special_tokens = not special
        return t.encode(text, add_special_tokens=False).ids

    def raw_ids(self, data, ignore):
        """Ids of bytes that are not UTF-8: pieces as for U+FFFD, merges over the bytes."""
        text = data.decode("utf-8", errors="replace")
        # Where each character of `text` begins in `data`; a replacement represents as many bytes as
        # still decode to a single one.
        starts = [0]
        for c in text:
            at = starts[-1]
            n = len(c.encode())
            if c == "\uFFFD" and data[at:at + 3] != b"\xEF\xBF\xBD":
                n = 1
                while at + n < len(data) and \
                        data[at:at + n + 1].decode("utf-8", errors="replace") == "\uFFFD":
                    n += 1
            starts.append(at + n)
        assert starts[-1] == len(data)
        model = (self.ignore if ignore else self.apply).model
        out = []
        for piece, (first, last) in self.split.pre_tokenize_str(text):
            assert piece == text[first:last]
            mapped = "".join(self.alphabet[b] for b in data[starts[first]:starts[last]])
            out += [token.id for token in model.tokenize(mapped)]
        return out


def write_vocab(ref):
    """u32 tokens, u32 merges; tokens: u8 kind, u16 length, stored text; merges: u16 left id, u16
    right id. Little endian."""
    order = sorted(ref.vocab, key=ref.vocab.get)
    n = len(order)
    order += ["[PAD%d]" % (n + i) for i in range(UNUSED)]
    kinds = ref.kinds + [UNUSED_KIND] * UNUSED
    out = [struct.pack("<II", len(order), len(ref.merges))]
    for token, kind in zip(order, kinds):
        data = token.encode()
        out.append(struct.pack("<BH", kind, len(data)) + data)
    for left, right in ref.merges:
        out.append(struct.pack("<HH", ref.vocab[left], ref.vocab[right]))
    save("vocab.bin", b"".join(out))


# ---- Strings -------------------------------------------------------------------------------------

SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008" \
         "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_SPACES = "\x1c\x1f\u180e\u200b\u2060\ufeff"
EMOJI = ["😀", "👍🏽", "👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "🇩🇪🇫🇷", "❤️", "1️⃣", "☕", "🫠"]
CONTRACTIONS = ["s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE", "Ve", "rE", "M", "LL", "lL",
                "D", "ſ", "ſt", "K", "r", "v", "l", "le", "é", "x", "İ", "ı", "n't"]


def groups():
    """Letters, marks and digits of each script: code points by the first word of their names."""
    out = {}
    for c in range(0x110000):
        category = unicodedata.category(chr(c))
        if category[0] in "LMN":
            name = unicodedata.name(chr(c), "").split(" ")[0].split("-")[0]
            out.setdefault(name, {}).setdefault(category[0], []).append(chr(c))
    return out


def some(r, items, low, high):
    return "".join(r.choice(items) for _ in range(r.randint(low, high)))


def code_point(r):
    while True:
        c = r.choice([r.randrange(0x80), r.randrange(0x800), r.randrange(0x10000),
                      r.randrange(0x20000), r.randrange(0x110000)])
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def script_string(r, group):
    """A few words of one script with its marks and digits."""
    parts = []
    for _ in range(r.randint(1, 3)):
        word = ""
        for _ in range(r.randint(1, 4)):
            kind = r.choice([k for k in "LLLLMN" if k in group] or list(group))
            word += r.choice(group[kind])
        parts.append(word)
    return r.choice(["", " ", "\n"]) + r.choice([" ", "", "-", "\u200d", "  "]).join(parts)


def atom(r):
    """A small piece of any sort, to be glued to others."""
    return r.choice([
        lambda: r.choice(ENGLISH), lambda: " " + r.choice(ENGLISH),
        lambda: made_up_word(r, r.choice(list(SCRIPTS))),
        lambda: some(r, "0123456789", 1, 7), lambda: some(r, "٣٤५६𝟘Ⅷ½²①〇", 1, 4),
        lambda: some(r, SPACES, 1, 4), lambda: some(r, " \n", 1, 5), lambda: some(r, "\r\n", 1, 4),
        lambda: " " * r.randint(1, 9), lambda: some(r, NOT_SPACES, 1, 2),
        lambda: r.choice(EMOJI), lambda: "'" + r.choice(CONTRACTIONS),
        lambda: r.choice("’ʼ´`") + r.choice(CONTRACTIONS),
        lambda: some(r, ".,;:!?()[]{}<>|/\\\"'`~@#$%^&*-_=+", 1, 4),
        lambda: r.choice("aeiouyn") + some(r, "\u0301\u0308\u0327\u20d0", 1, 3),
        lambda: r.choice(CONTROL + LATE_CONTROL), lambda: r.choice(CONTROL)[:-1],
        lambda: "<|" + r.choice(ENGLISH) + "|>", lambda: r.choice(USER), lambda: "pytho",
        lambda: r.choice(USER) + r.choice(ENGLISH), lambda: "Mathi", lambda: "[PAD4001]",
        lambda: code_point(r), lambda: r.choice(SCRIPTS["han"]) * r.randint(1, 6),
        lambda: " Kubernetes", lambda: " pneumonia", lambda: "Zzyzx", lambda: "的中", lambda: "999",
    ])()


def strings(r):
    out = ["", "hello world", "Mathias writes pythonic Python, Math", "<|im_end|>!!", "<|im_end|>!",
           "<<|im_end|>>", "<|im_<|im_start|>user\n", "it'ſ IT'S it’s", "\u0130'\u0130 'İs"]
    for group in groups().values():
        out += [script_string(r, group) for _ in range(2)]
    out += ["1" * n for n in range(1, 30)]
    out += [" " * n + e for n in range(1, 12) for e in ("", "a", "1", ".")]
    for c in SPACES + NOT_SPACES:
        for pattern in ("%s", "a%sb", "%s%s1", "a %s", "%s a", "%s\n%s.", ".%s.", "%s'd", " %s%sx"):
            out.append(pattern.replace("%s", c))
    for c in CONTRACTIONS:
        for pattern in ("'%s", "a'%s", "a'%sb", " '%s", "''%s", "1'%s1", "\n'%s\n", "'%s'%s"):
            out.append(pattern.replace("%s", c))
    for _ in range(1000):
        out.append(some(r, "\r\n \tab1.", 1, 10))
    for _ in range(300):
        out.append("".join(code_point(r) for _ in range(r.randint(1, 6))))
    for _ in range(250):
        out.append(some(r, "abcdefgh", 20, 60))
    for _ in range(60):
        out.append(made_up_word(r, r.choice(list(SCRIPTS))) * r.randint(5, 12))
    while len(out) < 10200:
        out.append("".join(atom(r) for _ in range(r.randint(1, 6))))
    return out


def broken_strings(r):
    """Bytes that are not UTF-8."""
    out = [b"\xff", b"a\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf",
           b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b" \x80\x80 a", b"'\xc5s", b"\xc5\xbf",
           b"'\xc5\xbf", b"\xe2\x80\xe2\x80\x94"]
    while len(out) < 400:
        data = bytearray(b"".join(atom(r).encode() for _ in range(r.randint(1, 4))))
        for _ in range(r.randint(1, 3)):
            at = r.randrange(len(data))
            r.choice([lambda: data.__setitem__(at, r.randrange(256)),
                      lambda: data.insert(at, r.randrange(0x80, 0x100)),
                      lambda: data.__delitem__(at) if len(data) > 1 else None])()
        if not any(word.encode() in data for word in USER + CONTROL + LATE_CONTROL):
            out.append(bytes(data))
    return out


def write_strings(ref):
    """u32 count; each: u8 set, u16 length, bytes, and for each bit of `set` a u64 FNV-1a hash of
    the ids (as u32). Bits: 1 control tokens off, merges applied (always there); 2 control tokens
    on; 4 and 8 the same two with merges ignored. A missing 2 equals 1, a missing 4 equals 1, a
    missing 8 equals 4 if 2 is missing, else 2. Little endian."""
    r = random.Random(2)
    cases = []
    for s in strings(r):
        data = s.encode()
        h = [fnv(ref.ids(s, special, ignore)) for ignore in (False, True)
             for special in (False, True)]
        cases.append((data, h))
    for data in broken_strings(r):
        h = [fnv(ref.raw_ids(data, ignore)) for ignore in (False, True)]
        cases.append((data, [h[0], h[0], h[1], h[1]]))
    out = [struct.pack("<I", len(cases))]
    for data, h in cases:
        present = [True, h[1] != h[0], h[2] != h[0], False]
        present[3] = h[3] != (h[1] if present[1] else h[2])
        out.append(struct.pack("<BH", sum(p << i for i, p in enumerate(present)), len(data)) + data)
        out += [struct.pack("<Q", h[i]) for i in range(4) if present[i]]
    save("strings.bin", b"".join(out))
    print(len(cases), "strings;", sum(h[1] != h[0] for _, h in cases), "with control tokens,",
          sum(h[2] != h[0] for _, h in cases), "changed by ignore_merges")


# ---- Classes -------------------------------------------------------------------------------------

def write_classes():
    lines = []
    for name, pattern in (("L", r"\p{L}"), ("N", r"\p{N}"), ("S", r"\s")):
        remove = pre_tokenizers.Split(Regex(pattern), behavior="removed")
        first = None
        for c in range(0x110001):
            inside = c < 0x110000 and not 0xD800 <= c < 0xE000 and \
                not remove.pre_tokenize_str(chr(c))
            if inside and first is None:
                first = c
            if not inside and first is not None:
                lines.append("%s %X %X\n" % (name, first, c - 1))
                first = None
    save("classes.txt", "".join(lines).encode())


# ---- Chats ---------------------------------------------------------------------------------------

TEMPLATE = """{{- bos_token -}}
{%- set ns = namespace(system="", rest=messages) -%}
{%- if messages and messages[0]["role"] == "system" -%}
    {%- set ns.system = messages[0]["content"] -%}
    {%- set ns.rest = messages[1:] -%}
{%- endif -%}
{%- if tools -%}
    {%- set ns.system = ns.system + ("\\n" if ns.system else "")
                        + "List of tools: <|tool_list_start|>[" -%}
    {%- for tool in tools -%}
        {%- set ns.system = ns.system + (tool if tool is string else tool | tojson)
                            + ("" if loop.last else ", ") -%}
    {%- endfor -%}
    {%- set ns.system = ns.system + "]<|tool_list_end|>" -%}
{%- endif -%}
{%- if ns.system -%}
    {{- "<|im_start|>system\\n" + ns.system + "<|im_end|>\\n" -}}
{%- endif -%}
{%- for m in ns.rest -%}
    {{- "<|im_start|>" + m["role"] + "\\n" -}}
    {%- if m["role"] == "tool" -%}
        {{- "<|tool_response_start|>" + m["content"] + "<|tool_response_end|>" -}}
    {%- else -%}
        {{- m["content"] -}}
    {%- endif -%}
    {{- "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<|im_start|>assistant\\n" -}}
{%- endif -%}
"""


def json_text(r):
    return "".join(r.choice([atom(r), r.choice('"\\/\b\f\n\r\t\x00\x01\x1f\x7f<>&\''), "é", "😀"])
                   for _ in range(r.randint(0, 4)))


def json_value(r, depth):
    kind = r.randrange(8 if depth < 4 else 6)
    if kind == 6:
        return [json_value(r, depth + 1) for _ in range(r.randint(0, 3))]
    if kind == 7:
        return {json_text(r): json_value(r, depth + 1) for _ in range(r.randint(0, 3))}
    # Only numbers that Python writes as they were read.
    return r.choice([None, True, False, json_text(r), r.randint(-10**20, 10**20), 0, 0.5, -1.25,
                     1e-09, 1e+22, 3.14159])


def tool(r):
    name = r.choice(["get_weather", "suche", "计算", "f"])
    return {"name": name, "description": json_text(r), "parameters": {
        "type": "object", "properties": {made_up_word(r, "latin"): {
            "type": r.choice(["string", "number"]), "enum": json_value(r, 2)}
            for _ in range(r.randint(0, 3))}, "required": [], "extra": json_value(r, 1)}}


def content(r):
    if r.random() < 0.1:
        return ""
    return "".join(atom(r) for _ in range(r.randint(1, 8)))


def hide(value, pattern):
    """The value with each control token in its strings and keys in brackets that no text has, as its index."""
    if isinstance(value, str):
        return pattern.sub(lambda m: "\u2997%d\u2998" % NAMES.index(m.group()), value)
    if isinstance(value, list):
        return [hide(v, pattern) for v in value]
    if isinstance(value, dict):
        return {hide(k, pattern): hide(v, pattern) for k, v in value.items()}
    return value


NAMES = sorted(CONTROL + LATE_CONTROL, key=len, reverse=True)


def marked_ids(ref, pattern, text):
    """Ids of a text: control tokens count, those that `hide` marked stay text."""
    ids = []
    for i, part in enumerate(re.split("(%s)" % pattern.pattern, text)):
        part = re.sub("\u2997(\\d+)\u2998", lambda m: NAMES[int(m.group(1))], part)
        ids += [ref.vocab[part]] if i % 2 else ref.ids(part, False)
    return ids


def chat_ids(ref, tokenizer, messages, tools, generation):
    """Ids with control tokens recognised only where the template writes them: the text is cut at
    these, the rest is encoded with control tokens off."""
    pattern = re.compile("|".join(map(re.escape, NAMES)))
    text = tokenizer.apply_chat_template(hide(messages, pattern), tools=hide(tools, pattern),
                                         tokenize=False, add_generation_prompt=generation)
    return marked_ids(ref, pattern, text)


def make_chats(ref):
    """One JSON object a line: m = [[role, content]...], t = tools as JSON text or null, g =
    generation prompt, x = the text, h = FNV-1a hash of the ids in hexadecimal."""
    from transformers import PreTrainedTokenizerFast
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=ref.apply, bos_token="<|startoftext|>",
                                        eos_token="<|im_end|>", chat_template=TEMPLATE)
    r = random.Random(3)
    lines = []
    for _ in range(260):
        messages = []
        if r.random() < 0.5:
            messages.append({"role": "system", "content": content(r)})
        for turn in range(r.choice([0, 1, 1, 2, 3, 5]) if messages else r.choice([1, 1, 2, 3, 5])):
            roles = ["user", "assistant"] if turn % 2 == 0 else ["assistant", "tool", "user"]
            messages.append({"role": r.choice(roles + (["system"] if r.random() < 0.1 else [])),
                             "content": content(r)})
        tools = [tool(r) for _ in range(r.randint(0, 3))] if r.random() < 0.4 else None
        generation = r.random() < 0.6
        text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False,
                                             add_generation_prompt=generation)
        spacing = r.choice([dict(), dict(indent=1), dict(separators=(",", ":"))])
        source = None if tools is None else json.dumps(tools, ensure_ascii=r.random() < 0.5,
                                                       **spacing)
        ids = chat_ids(ref, tokenizer, messages, tools, generation)
        lines.append(json.dumps({"m": [[m["role"], m["content"]] for m in messages], "t": source,
                                 "g": generation, "x": text, "h": "%016x" % fnv(ids)},
                                ensure_ascii=False, separators=(",", ":")) + "\n")
    save("chat.jsonl", "".join(lines).encode())


def save(name, data):
    with open(os.path.join(FOLDER, name), "wb") as f:
        f.write(data)
    print("%-12s %8d bytes" % (name, len(data)))


def main():
    ref = Reference()
    if len(sys.argv) == 3 and sys.argv[1] == "--show":
        text = ast.literal_eval('"""' + sys.argv[2] + '"""')
        for ignore in (False, True):
            for special in (False, True):
                ids = ref.ids(text, special, ignore)
                print("ignore_merges=%d control=%d %s" % (ignore, special, ids))
        return
    os.makedirs(FOLDER, exist_ok=True)
    write_vocab(ref)
    write_strings(ref)
    write_classes()
    make_chats(ref)


if __name__ == "__main__":
    main()
