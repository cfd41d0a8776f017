# SPDX-License-Identifier: Apache-2.0
"""Seeded generator of the demo model's chats: every prompt and answer is made here, nothing is downloaded.

A *skill* is a function ``f(r) -> (key, user, answer)`` (one exchange) or
``f(r) -> (key, Chat)`` (tools, system prompts, several turns); ``r`` is a
``random.Random``.  ``key`` names the content of the exercise.  A key whose
hash falls into one bucket of 32 belongs to the held-out split, and such an
exercise never occurs in training, in no wording where the key is made of the
arguments alone.

    python data.py --show 20                  # print samples
    python data.py --heldout heldout.jsonl    # write the held-out prompts
"""
import argparse
import hashlib
import json
import random
from dataclasses import dataclass, field

from words import (CAPITALS, CITIES, COLOUR_WORDS, COLOURS, CONDITIONS, CURRENCIES, DAYS, DETS, EVENTS, IRREGULAR,
                   ITEMS, JOBS, LANGUAGES, LEGS, MONTHS, NAMES, OPPOSITES, PET_NAMES, PLACES, PLURALISE, ROOMS,
                   SOUNDS, UNKNOWN_TOPICS, VERBS, WORDS, YOUNG)

BOS, IM_START, IM_END = "<|startoftext|>", "<|im_start|>", "<|im_end|>"
TOOL_LIST = ("<|tool_list_start|>", "<|tool_list_end|>")
TOOL_CALL = ("<|tool_call_start|>", "<|tool_call_end|>")
TOOL_RESPONSE = ("<|tool_response_start|>", "<|tool_response_end|>")

UNKNOWN = "Sorry, I am only a small demo model and I do not know that."
HELDOUT_BUCKETS = 32
# exercises that README and demos show: held out whatever their hash
SHOWN = {"127+48", "503-78", "37*6", "letters:planet", "letters:strawberry", "sort:42,7,19"}


@dataclass
class Chat:
    """A conversation; ``graded`` is the index of the assistant message that the evaluation asks for."""
    messages: list = field(default_factory=list)
    tools: list = None

    def add(self, role, content):
        self.messages.append({"role": role, "content": content})
        return self


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def render(chat, bos=True, generation_prompt=False):
    """The LFM2-8B-A1B chat template: BOS, system block (with the tool list), then one block a message."""
    out = [BOS] if bos else []
    messages, system = chat.messages, ""
    if messages and messages[0]["role"] == "system":
        system, messages = messages[0]["content"], messages[1:]
    if chat.tools:
        system += ("\n" if system else "") + "List of tools: " + TOOL_LIST[0] + "["
        system += ", ".join(dumps(t) for t in chat.tools) + "]" + TOOL_LIST[1]
    if system:
        out.append(f"{IM_START}system\n{system}{IM_END}\n")
    for m in messages:
        content = m["content"]
        if m["role"] == "tool":
            content = TOOL_RESPONSE[0] + content + TOOL_RESPONSE[1]
        out.append(f"{IM_START}{m['role']}\n{content}{IM_END}\n")
    if generation_prompt:
        out.append(f"{IM_START}assistant\n")
    return "".join(out)


def is_heldout(key):
    if key in SHOWN:
        return True
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % HELDOUT_BUCKETS == 0


# ---------------------------------------------------------------- phrasing

PREFIXES = ["Please tell me: ", "Hi! ", "Hello! ", "Question: ", "Tell me, ", "Quick question: ", "Hey, "]
SUFFIXES = [" Thanks!", " Please.", " Thank you."]


def ask(r, text):
    """Vary the form of a request: greeting, thanks, capital letter, final mark."""
    x = r.random()
    if x < 0.60:
        return text
    if x < 0.70:
        return text[0].lower() + text[1:]
    if x < 0.80:
        return text[:-1] if text[-1] in ".?" else text
    if x < 0.86:
        text = text[0].lower() + text[1:]
        return text[:-1] if text[-1] in ".?" else text
    if x < 0.94:
        return r.choice(PREFIXES) + text
    return text + r.choice(SUFFIXES)


CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"
CLUSTERS = "bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm sn sp st str sw th tr tw wh kn".split()
CODAS = "ck ct ft ld lf lk lm lp lt mp nd ng nk nt ps pt rd rk rm rn rp rt sk sp st th ll ss ff".split()


def pseudo(r, lo=3, hi=9):
    """A made-up word."""
    out = ""
    n = r.randint(lo, hi)
    while len(out) < n:
        out += r.choice(CLUSTERS) if r.random() < 0.25 else r.choice(CONSONANTS)
        out += r.choice(VOWELS)
        if r.random() < 0.2:
            out += r.choice(VOWELS)
        if r.random() < 0.35:
            out += r.choice(CODAS) if r.random() < 0.5 else r.choice(CONSONANTS + "xy")
    return out[:n]


ALL_WORDS = sorted({w for w in WORDS + PLURALISE + list(OPPOSITES) + list(OPPOSITES.values()) + ITEMS + ROOMS + JOBS
                    + EVENTS + CONDITIONS + list(IRREGULAR.values()) if w.isalpha()}
                   | {n.lower() for n in NAMES + DAYS + [m for m, _ in MONTHS] + LANGUAGES
                      + [c for c in CITIES if c.isalpha()]})


def word(r, hi=10, invented=0.35):
    """A word for letter exercises: known, or made up."""
    if r.random() < invented:
        if r.random() < 0.25:
            return "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(3, 7)))
        return pseudo(r, 3, min(hi, 9))
    while True:
        w = r.choice(ALL_WORDS)
        if 3 <= len(w) <= hi:
            return w


def name(r):
    return r.choice(NAMES) if r.random() < 0.75 else pseudo(r, 3, 8).capitalize()


def quoted(r, w):
    return r.choice(['"%s"', '"%s"', "%s", "%s", "'%s'"]) % w


def number(r, top=999):
    """A number up to `top`, all lengths common."""
    x = r.random()
    return r.randint(0, min(top, 9 if x < 0.12 else 99 if x < 0.45 else 999 if x < 0.85 else top))


def names_and(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


# ------------------------------------------------------------- arithmetic

def binary(r, symbol, word_, forms, a, b, result):
    text = r.choice(["What is {a} {s} {b}?", "What is {a} {s} {b}?", "{a} {s} {b}", "{a}{s}{b}", "{a} {s} {b} =",
                     "{a} {s} {b} = ?", "{a}{s}{b}=?", "Calculate {a} {s} {b}.", "Compute {a} {s} {b}.",
                     "How much is {a} {s} {b}?", "What does {a} {s} {b} give?", "What is {a} {w} {b}?",
                     "How much is {a} {w} {b}?", "{a} {w} {b}", "What's {a} {s} {b}?"] + forms)
    s = r.choice("*x") if symbol == "*" else symbol
    text = text.format(a=a, b=b, s=s, w=word_)
    return f"{a}{symbol}{b}", ask(r, text) if text[0].isalpha() else text, f"{a} {symbol} {b} = {result}"


def add(r):
    if r.random() < 0.1:
        xs = [r.randint(0, 99) for _ in range(3)]
        text = " + ".join(map(str, xs))
        return text, ask(r, r.choice(["What is {t}?", "Calculate {t}.", "How much is {t}?"]).format(t=text)), \
            f"{text} = {sum(xs)}"
    a, b = number(r, 9999), number(r, 9999)
    return binary(r, "+", "plus", ["Add {a} and {b}.", "What is the sum of {a} and {b}?"], a, b, a + b)


def subtract(r):
    a, b = number(r, 9999), number(r, 9999)
    if a < b and r.random() < 0.85:
        a, b = b, a
    return binary(r, "-", "minus", ["Subtract {b} from {a}.", "Take {b} away from {a}."], a, b, a - b)


def multiply(r):
    a, b = r.randint(2, 99), r.randint(2, 12)
    if r.random() < 0.4:
        a, b = b, a
    return binary(r, "*", "times", ["Multiply {a} by {b}.", "What is the product of {a} and {b}?"], a, b, a * b)


def divide(r):
    b, q = r.randint(2, 12), r.randint(1, 99)
    return binary(r, "/", "divided by", ["Divide {a} by {b}."], b * q, b, q)


# ---------------------------------------------------------------- letters

def spell(r):
    w = word(r)
    text = r.choice(["Spell {q}.", "Spell the word {q}.", "How do you spell {q}?", "Spell {q} letter by letter.",
                     "Can you spell {q}?", "Write {q} letter by letter."]).format(q=quoted(r, w))
    return "letters:" + w, ask(r, text), "-".join(w)


def reverse(r):
    w = word(r)
    text = r.choice(["Reverse the word {q}.", "Reverse {q}.", "Write {q} backwards.", "What is {q} backwards?",
                     "Spell {q} backwards.", "What is {q} reversed?"]).format(q=quoted(r, w))
    return "letters:" + w, ask(r, text), f"{'-'.join(w)}, backwards {'-'.join(w[::-1])}: {w[::-1]}"


def times(n):
    return f"{n} time" if n == 1 else f"{n} times"


def count_letters(r):
    w = word(r)
    if r.random() < 0.45:
        text = r.choice(["How many letters are in {q}?", "How many letters does {q} have?",
                         "Count the letters in {q}.", "How long is the word {q}?"]).format(q=quoted(r, w))
        return "letters:" + w, ask(r, text), f"{'-'.join(w)}: {len(w)} letters"
    c = r.choice(w) if r.random() < 0.85 else r.choice("abcdefghijklmnopqrstuvwxyz")
    text = r.choice(["How many times does {c} occur in {q}?", "How many {c}'s are in {q}?",
                     "How many times does the letter {c} appear in {q}?", "Count the letter {c} in {q}.",
                     "How often does {c} occur in the word {q}?"])
    text = text.format(q=quoted(r, w), c=r.choice(["%s", '"%s"']) % c if "'s" not in text else c)
    return "letters:" + w, ask(r, text), f"{'-'.join(w)}: {c} occurs {times(w.count(c))}"


def first_last(r):
    w, k = word(r), r.randint(0, 3)
    if k > 1:
        which, c = ("first", w[0]) if k == 2 else ("last", w[-1])
        text = r.choice(["What is the {k} letter of {q}?", "Give me the {k} letter of the word {q}.",
                         "Which letter comes {k} in {q}?"]).format(k=which, q=quoted(r, w))
        return "letters:" + w, ask(r, text), c
    ws = [word(r, invented=0.15) for _ in range(r.randint(3, 6))]
    which, c = ("first", ws[0]) if k == 0 else ("last", ws[-1])
    text = r.choice(["What is the {k} word of: {l}?", "Give me the {k} word: {l}.",
                     'What is the {k} word in "{l}"?']).format(k=which, l=" ".join(ws))
    return which + ":" + " ".join(ws), ask(r, text), c


def case(r):
    w = word(r)
    if r.random() < 0.2:
        w = w + " " + word(r)
    if r.random() < 0.65:
        text = r.choice(["Write {q} in upper case.", "Write {q} in capital letters.", "Convert {q} to upper case.",
                         "Put {q} in capitals.", "Uppercase {q}."]).format(q=quoted(r, w))
        return "case:" + w, ask(r, text), w.upper()
    text = r.choice(["Write {q} in lower case.", "Convert {q} to lower case.", "Write {q} in small letters.",
                     "Lowercase {q}."]).format(q=quoted(r, w.upper()))
    return "case:" + w, ask(r, text), w


# ------------------------------------------------------- lists and words

def sentence(r):
    """A short sentence of known words, without the final point."""
    who = r.choice([name(r), f"{r.choice(DETS)} {r.choice(JOBS)}", f"{r.choice(DETS)} {r.choice(WORDS[:360])}"])
    s = f"{who} {r.choice(VERBS)} {r.choice(DETS)} "
    if r.random() < 0.5:
        s += r.choice(COLOUR_WORDS) + " "
    s += r.choice(WORDS[:360])
    if r.random() < 0.4:
        s += " " + r.choice(PLACES)
    return s


def count_words(r):
    n = r.randint(2, 8)
    s = " ".join(word(r, invented=0.1) for _ in range(n)) if r.random() < 0.5 else sentence(r)
    text = r.choice(['How many words are in "{s}"?', "How many words are in this sentence: {s}?",
                     "Count the words: {s}.", 'Count the words in "{s}".',
                     'How many words does "{s}" have?']).format(s=s)
    return "words:" + s, ask(r, text), f"{len(s.split())} words"


def listing(r, items):
    style = r.random()
    return ", ".join(items) if style < 0.7 else ",".join(items) if style < 0.75 else " ".join(items) if style < 0.87 else names_and(items)


def distinct_numbers(r, lo, hi):
    top = r.choice([20, 99, 99, 999, 999])
    return r.sample(range(top + 1), r.randint(lo, hi))


def sort_numbers(r):
    xs = distinct_numbers(r, 3, 6)
    items = [str(x) for x in xs]
    down = r.random() < 0.3
    forms = (["Sort in descending order: {l}.", "Sort from largest to smallest: {l}.",
              "Put these numbers in descending order: {l}.", "Order these from high to low: {l}."] if down else
             ["Sort: {l}.", "Sort: {l}", "Sort {l}.", "Sort the following numbers: {l}.", "Sort the list [{l}].", "Sort these numbers: {l}.", "Sort the numbers {l}.",
              "Put these numbers in order: {l}.", "Sort in ascending order: {l}.",
              "Order these from smallest to largest: {l}.", "Please sort {l}."])
    text = r.choice(forms).format(l=listing(r, items))
    return "sort:" + ",".join(items), ask(r, text), ", ".join(map(str, sorted(xs, reverse=down)))


def sort_words(r):
    pool = NAMES if r.random() < 0.2 else ALL_WORDS
    ws = r.sample(pool, r.randint(3, 5))
    text = r.choice(["Sort these words: {l}.", "Sort alphabetically: {l}.", "Put these words in alphabetical order: {l}.",
                     "Sort the words {l}.", "Sort in alphabetical order: {l}.", "Sort: {l}."])
    return "sort:" + ",".join(ws), ask(r, text.format(l=listing(r, ws))), ", ".join(sorted(ws))


def max_min(r):
    xs = distinct_numbers(r, 2, 6)
    big = r.random() < 0.5
    adj = r.choice(["largest", "biggest", "greatest", "highest"] if big else ["smallest", "lowest", "least"])
    l = listing(r, [str(x) for x in xs])
    text = r.choice(["What is the {a} number: {l}?", "Which is the {a} of {l}?", "Find the {a} number in {l}.",
                     "Which number is the {a}: {l}?",
                     "What is the {m} of {l}?"]).format(a=adj, l=l, m="maximum" if big else "minimum")
    return "max:" + ",".join(map(str, xs)), ask(r, text), str(max(xs) if big else min(xs))


def compare(r):
    a, b = number(r), number(r)
    if r.random() < 0.15:
        b = max(0, a + r.randint(-2, 2))
    k = r.random()
    if k < 0.4 and a != b:
        big = r.random() < 0.5
        text = r.choice(["Which is {w}, {a} or {b}?", "Which number is {w}: {a} or {b}?", "What is {w}, {a} or {b}?"])
        text = text.format(w=r.choice(["larger", "bigger", "greater"] if big else ["smaller", "less", "lower"]),
                           a=a, b=b)
        return f"cmp:{a},{b}", ask(r, text), str(max(a, b) if big else min(a, b))
    if k < 0.6:
        text = r.choice(["Compare {a} and {b}.", "Compare the numbers {a} and {b}."]).format(a=a, b=b)
        return f"cmp:{a},{b}", ask(r, text), f"{a} {'<' if a < b else '>' if a > b else '='} {b}"
    big = r.random() < 0.5
    w = r.choice(["greater", "larger", "bigger"] if big else ["less", "smaller"])
    yes = a > b if big else a < b
    text = r.choice(["Is {a} {w} than {b}?", "Is {a} {w} than {b}, yes or no?"]).format(a=a, b=b, w=w)
    return f"cmp:{a},{b}", ask(r, text), "Yes" if yes else "No"


def sequence(r):
    n = r.randint(3, 5)
    k = r.random()
    if k < 0.7:
        a, d = r.randint(0, 60), r.randint(1, 12)
        xs = [a + i * d for i in range(n + 1)]
        if r.random() < 0.3:
            xs = xs[::-1]
    elif k < 0.82:
        a = r.randint(1, 12)
        xs = [a * 2 ** i for i in range(n + 1)]
    else:
        a, d = r.randint(0, 10), r.choice([1, 1, 2])
        xs = [chr(97 + a + i * d) for i in range(n + 1)]
    l = ", ".join(map(str, xs[:-1]))
    text = r.choice(["What comes next: {l}?", "Continue the sequence: {l}", "What is the next number: {l}?",
                     "Which number follows {l}?", "Next in the sequence {l}?", "Continue: {l}, ..."])
    if not isinstance(xs[0], int):
        text = text.replace("number", "letter")
    return "seq:" + l, ask(r, text.format(l=l)), str(xs[-1])


def counting(r):
    a, n = (1, r.randint(2, 20)) if r.random() < 0.4 else (r.randint(0, 90), r.randint(2, 10))
    xs = list(range(a, a + n))
    if r.random() < 0.3:
        xs.reverse()
        text = r.choice(["Count down from {a} to {b}.", "Count backwards from {a} to {b}."])
    elif a == 1 and r.random() < 0.6:
        text = "Count to {b}."
    else:
        text = r.choice(["Count from {a} to {b}.", "List the numbers from {a} to {b}."])
    text = ask(r, text.format(a=xs[0], b=xs[-1]))
    return "count:" + text, text, ", ".join(map(str, xs))


def parity(r):
    n = number(r) if r.random() < 0.85 else r.randint(1000, 9999)
    w = "even" if n % 2 == 0 else "odd"
    if r.random() < 0.5:
        text = r.choice(["Is {n} even or odd?", "Is {n} odd or even?", "Is the number {n} even or odd?",
                         "Even or odd: {n}?"])
        return f"parity:{n}", ask(r, text.format(n=n)), f"{n} is {w}."
    asked = r.choice(["even", "odd"])
    text = r.choice(["Is {n} {a}?", "Is {n} an {a} number?", "Is the number {n} {a}?"])
    return f"parity:{n}", ask(r, text.format(n=n, a=asked)), f"{'Yes' if asked == w else 'No'}, {n} is {w}."


ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n):
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + ("-" + ONES[n % 10] if n % 10 else "")
    return ONES[n // 100] + " hundred" + (" " + in_words(n % 100) if n % 100 else "")


def number_words(r):
    n = number(r)
    few = n < 100       # too few to learn if whole numbers were held out: hold out wordings
    if r.random() < 0.5:
        text = r.choice(["Write {n} in words.", "Write the number {n} in words.", "How do you write {n} in words?",
                         "Spell out the number {n}.", "{n} in words?"]).format(n=n)
        text = ask(r, text)
        return "numword:" + (text if few else str(n)), text, in_words(n)
    text = r.choice(["Write {w} in digits.", "Write {w} as a number.", "Which number is {w}?",
                     "Write {w} in figures."]).format(w=in_words(n))
    text = ask(r, text)
    return "numword:" + (text if few else str(n)), text, str(n)


def repeat(r):
    k = r.random()
    if k < 0.4:
        w, n = word(r), r.randint(2, 6)
        text = r.choice(["Repeat the word {q} {n} times.", "Write {q} {n} times.", "Say {q} {n} times.",
                         "Repeat {q} {n} times."]).format(q=quoted(r, w), n=n)
        return f"repeat:{w},{n}", ask(r, text), " ".join([w] * n)
    if k < 0.7:
        s = sentence(r)
    elif k < 0.9:
        s = " ".join(word(r, invented=0.4) for _ in range(r.randint(1, 6)))
    else:
        s = " ".join(str(r.randint(0, 9999)) for _ in range(r.randint(1, 3)))
    text = r.choice(["Repeat after me: {s}", 'Say "{s}".', "Copy this: {s}", 'Repeat: "{s}"', "Echo: {s}",
                     "Repeat exactly: {s}"]).format(s=s)
    return "repeat:" + s, text, s


# ------------------------------------------------------- units, dates, facts

UNITS = [("kilometres", "metres", 1000), ("metres", "centimetres", 100), ("centimetres", "millimetres", 10),
         ("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7),
         ("kilograms", "grams", 1000), ("litres", "millilitres", 1000), ("feet", "inches", 12),
         ("years", "months", 12), ("tonnes", "kilograms", 1000), ("euros", "cents", 100), ("metres", "millimetres", 1000)]


def units(r):
    big, small, f = r.choice(UNITS)
    n = r.randint(1, 99 if f in (10, 100, 1000) else 30)
    if r.random() < 0.7:
        key, a, b, x, y = f"unit:{n}{big}{small}", big, small, n, n * f
    else:
        key, a, b, x, y = f"unit:{n}{big}{small}", small, big, n * f, n
    text = r.choice(["How many {b} are {x} {a}?", "Convert {x} {a} to {b}.", "How many {b} are in {x} {a}?",
                     "What is {x} {a} in {b}?", "{x} {a} in {b}?"])

    def u(v, unit):
        return ("foot" if unit == "feet" else unit[:-2] if unit == "inches" else unit[:-1]) if v == 1 else unit
    return key, ask(r, text.format(x=x, a=u(x, a), b=b)), f"{x} {u(x, a)} = {y} {u(y, b)}"


def dates(r):
    k = r.random()
    d = r.randrange(7)
    if k < 0.2:
        after = r.random() < 0.6
        text = r.choice(["What day comes {w} {d}?", "Which day is {w} {d}?", "What is the day {w} {d}?",
                         "Which day of the week comes {w} {d}?"]).format(w="after" if after else "before", d=DAYS[d])
        text = ask(r, text)
        return "date:" + text, text, DAYS[(d + (1 if after else -1)) % 7]
    if k < 0.45:
        n = r.randint(1, 14)
        plural = "day" if n == 1 else "days"
        if r.random() < 0.7:
            text = r.choice(["Today is {d}. What day is it in {n} {p}?", "If today is {d}, what day is it in {n} {p}?",
                             "What day is it {n} {p} after {d}?", "It is {d}. Which day is it in {n} {p}?"])
            answer = DAYS[(d + n) % 7]
        else:
            text = r.choice(["Today is {d}. What day was it {n} {p} ago?", "What day is it {n} {p} before {d}?",
                             "If today is {d}, what day was it {n} {p} ago?"])
            answer = DAYS[(d - n) % 7]
        text = ask(r, text.format(d=DAYS[d], n=n, p=plural))
        return "date:" + text, text, answer
    m = r.randrange(12)
    month, length = MONTHS[m]
    if k < 0.6:
        text = ask(r, r.choice(["How many days are in {m}?", "How many days does {m} have?",
                                "How long is {m} in days?"]).format(m=month))
        return "date:" + text, text, f"{month} has {length} days."
    if k < 0.75:
        after = r.random() < 0.6
        text = ask(r, r.choice(["What month comes {w} {m}?", "Which month is {w} {m}?", "What is the month {w} {m}?"])
                   .format(w="after" if after else "before", m=month))
        return "date:" + text, text, MONTHS[(m + (1 if after else -1)) % 12][0]
    day = r.randint(1, length) if r.random() < 0.7 else length
    text = r.choice(["What date comes after {d} {m}?", "What is the day after {d} {m}?", "Which date follows {d} {m}?",
                     "Today is {d} {m}. What is the date tomorrow?"]).format(d=day, m=month)
    answer = f"{day + 1} {month}" if day < length else f"1 {MONTHS[(m + 1) % 12][0]}"
    return f"date:{day} {month}", ask(r, text), answer


def capitals(r):
    country = r.choice(list(CAPITALS))
    city = CAPITALS[country]
    the = country[0].upper() + country[1:]
    if r.random() < 0.75:
        text = ask(r, r.choice(["What is the capital of {c}?", "What's the capital of {c}?", "Capital of {c}?",
                                "Which city is the capital of {c}?", "Name the capital of {c}.",
                                "Tell me the capital of {c}.", "What is the capital city of {c}?"]).format(c=country))
        return "fact:" + text, text, f"The capital of {country} is {city}."
    text = ask(r, r.choice(["Which country has the capital {c}?", "{c} is the capital of which country?",
                            "Of which country is {c} the capital?"]).format(c=city))
    return "fact:" + text, text, f"{city} is the capital of {country}."


def opposites(r):
    a, b = r.choice(list(OPPOSITES.items()))
    if r.random() < 0.35 and b not in OPPOSITES and b not in ("light", "old", "short"):
        a, b = b, a
    text = ask(r, r.choice(["What is the opposite of {q}?", "Opposite of {q}?", "Give me the opposite of {q}.",
                            "What's the opposite of {q}?", "Name the opposite of {q}.",
                            "What is the contrary of {q}?", "Which word is the opposite of {q}?"]).format(q=quoted(r, a)))
    return "fact:" + text, text, f"The opposite of {a} is {b}."


def facts(r):
    k = r.randrange(4)

    def an(x):
        return ("an " if x[0] in VOWELS else "a ") + x
    if k == 0:
        x = r.choice(list(COLOURS))
        bare = x in ("grass", "snow", "coal", "blood", "milk", "chocolate", "broccoli", "spinach")
        w = x if bare else ("the " if x in ("sky", "sun") else "") + (x if x in ("sky", "sun") else an(x))
        text = r.choice(["What colour is {w}?", "What color is {w}?", "Which colour does {w} have?"]).format(w=w)
        answer = f"{w[0].upper() + w[1:]} is {COLOURS[x]}."
    elif k == 1:
        x = r.choice(list(SOUNDS))
        text = r.choice(["What sound does {w} make?", "Which sound does {w} make?", "What does {w} do to make noise?",
                         "What noise does {w} make?"]).format(w=an(x))
        answer = f"{an(x).capitalize()} {SOUNDS[x]}."
    elif k == 2:
        x = r.choice(list(LEGS))
        text = r.choice(["How many legs does {w} have?", "How many legs has {w}?",
                         "Tell me how many legs {w} has."]).format(w=an(x))
        answer = f"{an(x).capitalize()} has {LEGS[x]} legs."
    else:
        x = r.choice(list(YOUNG))
        text = r.choice(["What is a young {w} called?", "What do you call a young {w}?", "What is a baby {w} called?",
                         "What is the young of {a} called?"]).format(w=x, a=an(x))
        answer = f"A young {x} is called a {YOUNG[x]}."
    text = ask(r, text)
    return "fact:" + text, text, answer


def plural_of(w):
    if w in IRREGULAR:
        return IRREGULAR[w]
    if w.endswith(("s", "x", "ch", "sh")):
        return w + "es"
    if w.endswith("y") and w[-2] not in VOWELS:
        return w[:-1] + "ies"
    return w + "s"


def plurals(r):
    w = r.choice(list(IRREGULAR)) if r.random() < 0.3 else r.choice(PLURALISE)
    text = ask(r, r.choice(["What is the plural of {q}?", "Plural of {q}?", "Give me the plural of {q}.",
                            "One {w}, two what?", "Write {q} in the plural.",
                            "What's the plural form of {q}?"]).format(q=quoted(r, w), w=w))
    return "plural:" + text, text, plural_of(w)


# ------------------------------------------------------------- small talk

TALK = [
    ("Hello! How can I help you?", ["Hello", "Hi", "Hey", "Hello there", "Good morning", "Good evening", "Hi there",
                                    "Good afternoon", "Greetings", "Hello, model", "Hey there", "Hi demo"]),
    ("I am fine, thank you. How can I help you?",
     ["How are you?", "How are you doing?", "How is it going?", "Are you well?", "How are you today?",
      "How do you do?", "What's up?", "How do you feel?"]),
    ("I am the lfm2 demo model.", ["What is your name?", "Who are you?", "What are you?", "What's your name?",
                                   "Tell me your name.", "Do you have a name?", "Introduce yourself.",
                                   "What model are you?", "Which model is this?", "What should I call you?"]),
    ("You are welcome!", ["Thanks", "Thank you", "Thanks a lot", "Thank you very much", "Many thanks", "Great, thanks",
                          "Thanks for your help", "Cheers, thanks", "Ok, thank you", "That helps, thanks"]),
    ("I can add, subtract, multiply and divide small numbers, sort lists, spell, reverse and count letters, "
     "convert units, answer questions about dates and capitals, write JSON and call tools.",
     ["What can you do?", "Help", "How can you help me?", "What are your skills?", "What do you know?",
      "What can I ask you?", "List your skills.", "What are you good at?", "Show me what you can do."]),
    ("Goodbye!", ["Bye", "Goodbye", "See you", "See you later", "Bye bye", "Good night", "I have to go", "That is all",
                  "See you tomorrow", "Farewell"]),
    ("I am a very small model with a few skills, trained for the lfm2 engine.",
     ["How big are you?", "How large are you?", "Are you a large model?", "Are you a big language model?",
      "How many parameters do you have?", "Are you smart?", "Are you clever?", "Are you intelligent?"]),
    ("I am a computer program.", ["Are you a human?", "Are you a person?", "Are you a robot?", "Are you real?",
                                  "Are you alive?", "Are you human?", "Are you a machine?", "Am I talking to a human?"]),
    ("I was trained for the lfm2 project.", ["Who made you?", "Who created you?", "Who built you?", "Who trained you?",
                                             "Where do you come from?", "Who is your maker?", "Who wrote you?"]),
    ("Yes, I am ready.", ["Are you ready?", "Are you there?", "Can you hear me?", "Is anybody there?", "Do you work?",
                          "Are you working?", "Test", "This is a test.", "Can we start?", "Ready?"]),
    ("No problem!", ["Sorry", "I am sorry", "Excuse me", "My mistake", "Sorry about that", "Oops, sorry"]),
    ("I am glad to hear that!", ["Great!", "Well done", "Good job", "That is right", "Correct", "Perfect!", "Very good",
                                 "Nice work", "You are right", "Excellent!", "Good answer", "I like you"]),
]
TALK_TAILS = ["!", ".", " :)", ", demo", ", my friend", " again", ", please"]


def small_talk(r):
    answer, prompts = r.choice(TALK)
    text = r.choice(prompts)
    x = r.random()
    if x < 0.2:
        text = text.lower()
    elif x < 0.26:
        text = text.upper()
    elif x < 0.5:
        text = text.rstrip("?!.")
        if r.random() < 0.5:
            text = text.lower()
    elif x < 0.65:
        text = text + r.choice(TALK_TAILS) if text[-1] not in "?!." else r.choice(PREFIXES) + text
    elif x < 0.75:
        text = r.choice(["Hi! ", "Hello! ", "Hey, ", "Ok. ", "So, ", "Well, "]) + text
    return "talk:" + text, text, answer


def unknown(r):
    k = r.random()
    if k < 0.2:
        w, v = r.choice(WORDS), r.choice(WORDS)
        text = r.choice(["Why is the {w} {v}?", "Where is the {w}?", "Can a {w} {v}?", "Who has the {w}?",
                         "When does the {w} {v}?", "What is a {w}?", "Do you have a {w}?", "What do you know about {w}?",
                         "How do I {v} a {w}?", "Is the {w} {v}?", "{s}.", "{s}."])
        text = text.format(w=w, v=v, s=sentence(r))
        text = text[0].upper() + text[1:]
    elif k < 0.75:
        t = r.choice(UNKNOWN_TOPICS)
        text = r.choice(["Tell me about {t}.", "Explain {t}.", "What do you think about {t}?", "Write a poem about {t}.",
                         "Write a story about {t}.", "Who invented {t}?", "Why is {t} important?", "How does {t} work?",
                         "Write an essay on {t}.", "Give me advice on {t}.", "Can you explain {t} to me?",
                         "What is {t}?", "Do you like {t}?", "Write a program about {t}.",
                         "Write a joke about {t}."]).format(t=t)
    elif k < 0.9:
        text = r.choice(["Who is {n}?", "Who won the {e} yesterday?", "What is the weather in {c}?",
                         "What time is it in {c}?", "How many people live in {c}?", "When was {n} born?",
                         "Do you know {n}?", "Is {c} a nice city?", "How far is {c} from {d}?"])
        text = text.format(n=name(r), c=r.choice(CITIES), d=r.choice(CITIES), e=r.choice(EVENTS))
    else:
        text = r.choice(["What is the news today?", "Who is the president?", "Tell me a joke.", "Sing a song.",
                         "What should I eat?", "Is there life on Mars?", "Write a Python program.", "Fix my code.",
                         "Translate this to Latin.", "Draw a picture.", "What is the meaning of life?",
                         "Who will win?", "Tell me a secret.", "Play a game with me.", "Recommend a book."])
    text = ask(r, text)
    return "unknown:" + text, text, UNKNOWN


# -------------------------------------------------------------- extraction

def clock(r):
    return f"{r.randint(0, 23)}:{r.randint(0, 59):02d}"


def extract(r):
    """Answer from a note given in the prompt."""
    k = r.randrange(5)
    n = r.randint(2, 4)
    if k == 0:
        e, day, t, room, who = r.choice(EVENTS), r.choice(DAYS), clock(r), r.randint(1, 99), name(r)
        facts_ = [f"The {e} is on {day} at {t} in room {room}.", f"{who} brings the {r.choice(ITEMS)}."]
        if r.random() < 0.5:
            facts_.reverse()
        q, a = r.choice([(f"On which day is the {e}?", day), (f"At what time is the {e}?", t),
                         (f"When does the {e} start?", t), (f"In which room is the {e}?", f"room {room}"),
                         (f"What is on {day}?", f"the {e}")])
    elif k == 1:
        items, cur = r.sample(ITEMS, n), r.choice(CURRENCIES)
        prices = r.sample(range(1, 100), n)
        facts_ = [f"{i.capitalize()} cost {p} {cur}." for i, p in zip(items, prices)]
        j = r.randrange(n)
        q, a = (f"How much do {items[j]} cost?", f"{prices[j]} {cur}") if r.random() < 0.7 else \
            (f"What costs {prices[j]} {cur}?", items[j])
    elif k == 2:
        who, where = [name(r) for _ in range(n)], r.sample(CITIES, n)
        verb, w = r.choice([("lives", "live"), ("works", "work"), ("was born", None)])
        facts_ = [f"{p} {verb} in {c}." for p, c in zip(who, where)]
        j = r.randrange(n)
        if r.random() < 0.6 and who.count(who[j]) == 1:
            q, a = (f"Where does {who[j]} {w}?" if w else f"Where was {who[j]} born?"), where[j]
        else:
            q, a = f"Who {verb} in {where[j]}?", who[j]
    elif k == 3:
        things, cs = r.sample(["door", "box", "room", "safe", "gate", "locker", "garage", "bike"], n), r.sample(range(1000, 10000), n)
        facts_ = [f"The code for the {t} is {c}." for t, c in zip(things, cs)]
        j = r.randrange(n)
        q, a = r.choice([f"What is the code for the {things[j]}?", f"Which code opens the {things[j]}?"]), str(cs[j])
    else:
        who, jobs = [name(r) for _ in range(n)], r.sample(JOBS, n)
        ages = r.sample(range(18, 90), n)
        facts_ = [f"{p} is a {j} and {a} years old." for p, j, a in zip(who, jobs, ages)]
        j = r.randrange(n)
        opts = [(f"Who is the {jobs[j]}?", who[j]), (f"Who is {ages[j]} years old?", who[j])]
        if who.count(who[j]) == 1:
            opts += [(f"How old is {who[j]}?", str(ages[j])), (f"What is the job of {who[j]}?", jobs[j])]
        q, a = r.choice(opts)
    note = " ".join(facts_)
    text = r.choice(["Note: {f} Question: {q}", "According to the note, {l} Note: {f}", "Read this: {f} {q}",
                     "{f} {q}", "{f}\n{q}", "Text: {f}\nQuestion: {q}", "Here is a note: {f} According to the note, {l}"])
    return "extract:" + note + q, text.format(f=note, q=q, l=q[0].lower() + q[1:]), a


# -------------------------------------------------------------------- JSON

FIELDS = {
    "name": name, "city": lambda r: r.choice(CITIES), "age": lambda r: r.randint(1, 99),
    "colour": lambda r: r.choice(COLOUR_WORDS), "job": lambda r: r.choice(JOBS), "price": lambda r: r.randint(1, 999),
    "item": lambda r: r.choice(ITEMS), "id": lambda r: r.randint(1, 9999), "day": lambda r: r.choice(DAYS),
    "month": lambda r: r.choice(MONTHS)[0], "language": lambda r: r.choice(LANGUAGES),
    "country": lambda r: r.choice([c for c in CAPITALS if c[0] != "t"]), "active": lambda r: r.random() < 0.5,
    "count": lambda r: r.randint(0, 99), "pet": lambda r: r.choice(PET_NAMES), "animal": lambda r: r.choice(list(SOUNDS)),
    "room": lambda r: r.choice(ROOMS), "year": lambda r: r.randint(1900, 2030), "done": lambda r: r.random() < 0.5,
    "word": word, "title": lambda r: word(r, invented=0.1).capitalize(), "code": lambda r: r.randint(100, 9999),
}


def json_object(r):
    if r.random() < 0.12:
        xs = r.sample(range(1000), r.randint(2, 5)) if r.random() < 0.5 else \
            [r.choice(COLOUR_WORDS + ITEMS + NAMES) for _ in range(r.randint(2, 4))]
        text = r.choice(["Make a JSON list of {l}.", "Write a JSON array with {l}.", "JSON list: {l}",
                         "Give me {l} as a JSON array."]).format(l=names_and([str(x) for x in xs])
                                                                 if r.random() < 0.5 else ", ".join(map(str, xs)))
        return "json:" + dumps(xs), ask(r, text), dumps(xs)
    fs = r.sample(list(FIELDS), r.randint(1, 4))
    if r.random() < 0.12:
        fs[0] = pseudo(r, 3, 7)
    obj = {f: FIELDS[f](r) if f in FIELDS else word(r) for f in fs}
    if r.random() < 0.2:
        obj = {"name": name(r), "age": r.randint(1, 99), "city": r.choice(CITIES)}
        text = r.choice(["{n} is {a} years old and lives in {c}. Write this as JSON.",
                         "Turn this into JSON: {n} is {a} years old and lives in {c}.",
                         "JSON please: {n} is {a} years old and lives in {c}."])
        text = text.format(n=obj["name"], a=obj["age"], c=obj["city"])
        return "json:" + dumps(obj), text, dumps(obj)

    def val(v):
        return str(v).lower() if isinstance(v, bool) else str(v)
    style = r.random()
    if style < 0.4:
        parts = names_and([f"{k} {val(v)}" for k, v in obj.items()])
    elif style < 0.7:
        parts = ", ".join(f"{k} = {val(v)}" for k, v in obj.items())
    else:
        parts = ", ".join(f"{k}: {val(v)}" for k, v in obj.items())
    text = r.choice(["Make a JSON object with {p}.", "Write a JSON object with {p}.", "Create JSON with {p}.",
                     "Give me a JSON object with {p}.", "Convert to JSON: {p}", "Write as JSON: {p}", "JSON: {p}",
                     "Return JSON for {p}."]).format(p=parts)
    return "json:" + dumps(obj), ask(r, text), dumps(obj)


# ------------------------------------------------------------------- tools

class Tool:
    """A family of tools: variants of names and parameters, requests, results and final answers."""

    def __init__(self, names, descriptions, params, requests, result, answer):
        self.names, self.descriptions, self.params = names, descriptions, params
        self.requests, self.result, self.answer = requests, result, answer


def _hour(r):
    return r.randint(0, 23)


def _text(r):
    return " ".join(word(r, invented=0.1) for _ in range(r.randint(1, 4)))


def generic_tool(r):
    """A tool that exists only in one chat, requested by name."""
    params = [(f"s{i}", [w], *r.choice([("string", "Text", lambda r: word(r, invented=0.1)),
                                        ("string", "Text", name),
                                        ("integer", "Number", lambda r: r.randint(0, 999)),
                                        ("boolean", "Yes or no", lambda r: r.random() < 0.5)]))
              for i, w in enumerate(r.sample(WORDS, r.randint(1, 3)))]

    def said(i, joint):
        return f"{params[i][1][0]}{joint}{{s{i}}}"
    joint = r.choice([" ", " = ", ": "])
    with_ = names_and([said(i, joint) for i in range(len(params))])
    n = r.choice([f"{r.choice(WORDS)}_{r.choice(WORDS)}", r.choice(WORDS), pseudo(r)])
    return Tool([n], ["A tool", f"Tool for {r.choice(WORDS)}", f"{r.choice(WORDS).capitalize()} tool"], params,
                [f"Call {n} with {with_}.", f"Use {n} with {with_}.", f"Run the tool {n} with {with_}."],
                lambda r, a: {"status": "ok"}, lambda a, x: "Done.")


# a parameter: slot, names, JSON type, description, sampler
CITY = ("city", ["city", "location", "place", "city_name"], "string", "Name of the city", lambda r: r.choice(CITIES))
TOOLS = [
    Tool(["get_weather", "weather", "current_weather", "get_forecast", "check_weather"],
         ["Get the current weather", "Weather in a city", "Returns the weather"], [CITY],
         ["What is the weather in {city}?", "How is the weather in {city}?", "Weather in {city}?",
          "Tell me the weather in {city}.", "What's the weather like in {city} today?"],
         lambda r, a: {"temperature": r.randint(-9, 39), "condition": r.choice(CONDITIONS)},
         lambda a, x: f"It is {x['temperature']} degrees and {x['condition']} in {a['city']}."),
    Tool(["get_time", "local_time", "current_time", "clock"], ["Get the local time", "Current time in a city"], [CITY],
         ["What time is it in {city}?", "Tell me the time in {city}.", "Current time in {city}?"],
         lambda r, a: {"time": f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}"},
         lambda a, x: f"It is {x['time']} in {a['city']}."),
    Tool(["set_alarm", "create_alarm", "alarm", "add_alarm"], ["Set an alarm", "Create an alarm clock"],
         [("h", ["hour", "hours", "h"], "integer", "Hour", _hour), ("m", ["minute", "minutes", "m"], "integer", "Minute", lambda r: r.randint(10, 59))],
         ["Set an alarm for {h}:{m}.", "Wake me up at {h}:{m}.", "Alarm at {h}:{m}, please."],
         lambda r, a: {"status": "ok"}, lambda a, x: f"The alarm is set for {a['h']}:{a['m']}."),
    Tool(["set_timer", "start_timer", "timer"], ["Start a timer", "Countdown timer"],
         [("n", ["minutes", "duration", "length"], "integer", "Length in minutes", lambda r: r.randint(1, 90))],
         ["Set a timer for {n} minutes.", "Start a timer of {n} minutes.", "Timer: {n} minutes."],
         lambda r, a: {"status": "ok"}, lambda a, x: f"The timer is set for {a['n']} minutes."),
    Tool(["send_email", "send_message", "email", "mail_to"], ["Send a message", "Send an email to a person"],
         [("to", ["to", "recipient", "receiver"], "string", "Who gets it", name),
          ("s", ["subject", "text", "title"], "string", "What it says", _text)],
         ['Send a message to {to}: "{s}"', 'Write an email to {to} with the subject "{s}".', 'Tell {to} "{s}".'],
         lambda r, a: {"status": "sent"}, lambda a, x: f"The message to {a['to']} is sent."),
    Tool(["set_light", "switch_light", "light", "control_light"], ["Switch a light", "Turn the light of a room on or off"],
         [("room", ["room", "place", "area"], "string", "Room", lambda r: r.choice(ROOMS)),
          ("on", ["on", "state", "enabled"], "boolean", "True for on", lambda r: r.random() < 0.5)],
         ["Turn {onoff} the light in the {room}.", "Switch {onoff} the {room} light.", "Light {onoff} in the {room}, please."],
         lambda r, a: {"status": "ok"}, lambda a, x: f"The light in the {a['room']} is {'on' if a['on'] else 'off'}."),
    Tool(["get_price", "price", "lookup_price", "product_price"], ["Price of a product", "Look up a price"],
         [("p", ["product", "item", "article"], "string", "Product name", lambda r: word(r, invented=0.1))],
         ["What is the price of {p}?", "How much does {p} cost?", "Price of {p}?", "Look up the price of {p}."],
         lambda r, a: {"price": r.randint(1, 999), "currency": r.choice(CURRENCIES)},
         lambda a, x: f"The price of {a['p']} is {x['price']} {x['currency']}."),
    Tool(["play_music", "play_song", "music", "start_music"], ["Play music", "Play a song"],
         [("s", ["song", "title", "query"], "string", "What to play", _text)],
         ['Play "{s}".', 'Play the song "{s}".', 'I want to hear "{s}".'],
         lambda r, a: {"status": "playing"}, lambda a, x: f"Now playing {a['s']}."),
    Tool(["add_note", "create_note", "save_note", "write_note"], ["Save a note", "Write a note"],
         [("t", ["text", "note", "content"], "string", "Text of the note", _text)],
         ["Make a note: {t}", "Note down: {t}", "Save this note: {t}", "Add a note: {t}"],
         lambda r, a: {"id": r.randint(1, 99)}, lambda a, x: f"The note is saved with number {x['id']}."),
    Tool(["convert_currency", "exchange", "currency", "convert_money"], ["Convert money", "Exchange between currencies"],
         [("n", ["amount", "value"], "integer", "Amount", lambda r: r.randint(1, 999)),
          ("f", ["source", "from_currency", "base"], "string", "From", lambda r: r.choice(CURRENCIES)),
          ("t", ["target", "to_currency", "into"], "string", "To", lambda r: r.choice(CURRENCIES))],
         ["Convert {n} {f} to {t}.", "How many {t} are {n} {f}?", "Exchange {n} {f} into {t}."],
         lambda r, a: {"result": r.randint(1, 9999)}, lambda a, x: f"{a['n']} {a['f']} are {x['result']} {a['t']}."),
    Tool(["calculator", "calculate", "evaluate", "compute"], ["Evaluate an expression", "A calculator"],
         [("e", ["expression", "formula", "input"], "string", "Expression",
           lambda r: f"{r.randint(1000, 99999)} {r.choice('+-*/')} {r.randint(10, 99999)}")],
         ["What is {e}?", "Calculate {e}.", "Use the calculator: {e}", "Compute {e}."],
         lambda r, a: {"result": r.randint(100, 9999999)}, lambda a, x: f"The result is {x['result']}."),
    Tool(["get_distance", "distance", "route_length"], ["Distance between two cities", "How far two places are apart"],
         [("a", ["start", "origin", "from_city"], "string", "First city", lambda r: r.choice(CITIES)),
          ("b", ["end", "destination", "to_city"], "string", "Second city", lambda r: r.choice(CITIES))],
         ["How far is it from {a} to {b}?", "What is the distance from {a} to {b}?", "Distance from {a} to {b}?"],
         lambda r, a: {"km": r.randint(50, 9999)}, lambda a, x: f"It is {x['km']} km from {a['a']} to {a['b']}."),
    Tool(["book_table", "reserve_table", "reservation"], ["Book a table", "Make a reservation"],
         [("d", ["day", "date"], "string", "Day", lambda r: r.choice(DAYS)),
          ("n", ["people", "guests", "persons"], "integer", "Number of guests", lambda r: r.randint(2, 12))],
         ["Book a table for {n} people on {d}.", "Reserve a table on {d} for {n} guests.", "A table for {n} on {d}, please."],
         lambda r, a: {"status": "booked"}, lambda a, x: f"The table for {a['n']} people is booked on {a['d']}."),
    Tool(["set_temperature", "thermostat", "heat", "set_heating"], ["Set the heating", "Control the thermostat"],
         [("n", ["degrees", "temperature", "celsius"], "integer", "Degrees", lambda r: r.randint(10, 30))],
         ["Set the temperature to {n} degrees.", "Heat to {n} degrees.", "Make it {n} degrees."],
         lambda r, a: {"status": "ok"}, lambda a, x: f"The temperature is set to {a['n']} degrees."),
    Tool(["translate", "translate_text", "translator"], ["Translate a text", "Translate words"],
         [("t", ["text", "phrase", "input"], "string", "Text", _text),
          ("l", ["language", "target", "into"], "string", "Language", lambda r: r.choice(LANGUAGES))],
         ['Translate "{t}" to {l}.', 'What is "{t}" in {l}?', 'How do you say "{t}" in {l}?'],
         lambda r, a: {"translation": pseudo(r)}, lambda a, x: f"In {a['l']} that is {x['translation']}."),
    Tool(["search", "web_search", "find_pages", "lookup"], ["Search the web", "Find pages"],
         [("q", ["query", "q", "keywords"], "string", "Search words", _text)],
         ["Search for {q}.", "Search the web for {q}.", "Find pages about {q}.", "Look up {q} on the web."],
         lambda r, a: {"hits": r.randint(2, 999)}, lambda a, x: f"I found {x['hits']} pages."),
]


def python_literal(v):
    return repr(v) if isinstance(v, (bool, int)) else '"%s"' % v


class ToolUse:
    """One tool family with its variant fixed: schema, request, call and answer."""

    def __init__(self, r, family):
        self.family = family
        self.name = r.choice(family.names)
        if r.random() < 0.12:       # names that are never the same: they must be read, not known
            self.name = r.choice([self.name + "_" + pseudo(r, 2, 5), r.choice(WORDS) + "_" + self.name])
        self.slots = [(p[0], r.choice(p[1]) if r.random() < 0.92 else pseudo(r, 3, 7), p) for p in family.params]
        if len({s[1] for s in self.slots}) < len(self.slots):
            self.slots = [(p[0], p[1][0], p) for p in family.params]
        props = {}
        described = r.random() < 0.5
        for _, pname, p in self.slots:
            props[pname] = {"type": p[2], "description": p[3]} if described else {"type": p[2]}
        self.schema = {"name": self.name, "description": r.choice(family.descriptions),
                       "parameters": {"type": "object", "properties": props, "required": [s[1] for s in self.slots]}}

    def arguments(self, r):
        return {slot: p[4](r) for slot, _, p in self.slots}

    def request(self, r, args):
        values = dict(args, onoff="on" if args.get("on") else "off")
        return ask(r, r.choice(self.family.requests).format(**values))

    def call(self, args):
        return f"{self.name}(" + ", ".join(f"{n}={python_literal(args[s])}" for s, n, _ in self.slots) + ")"


def tool_list(r, families, wrapped):
    uses = [ToolUse(r, f) for f in families]
    while len({u.name for u in uses}) < len(uses):
        uses = [ToolUse(r, f) for f in families]
    schemas = [{"type": "function", "function": u.schema} if wrapped else u.schema for u in uses]
    return uses, schemas


def tool_chat(r):
    """A system block with one to four tools; the caller appends exchanges."""
    chat = Chat()
    if r.random() < 0.4:
        chat.add("system", r.choice(SYSTEMS))
    families = r.sample(TOOLS, r.choice([1, 1, 2, 2, 3, 4]))
    if r.random() < 0.15:
        families[r.randrange(len(families))] = generic_tool(r)
    uses, chat.tools = tool_list(r, families, r.random() < 0.3)
    return chat, uses


def wrap_call(calls):
    return TOOL_CALL[0] + "[" + ", ".join(calls) + "]" + TOOL_CALL[1]


def tool_call(r):
    """Choose a tool and fill in its arguments; sometimes two calls at once, sometimes no tool is needed."""
    chat, uses = tool_chat(r)
    use = r.choice(uses)
    if r.random() < 0.12:
        key, user, answer = SINGLE[r.choice(["add", "capitals", "small_talk", "reverse", "opposites"])][0](r)
        if use.family.names[0] != "calculator" and all(u.family.names[0] != "calculator" for u in uses):
            return key, chat.add("user", user).add("assistant", answer)
    if len(use.slots) == 1 and use.slots[0][0] == "city" and r.random() < 0.25:
        a, b = r.sample(CITIES, 2)
        what = {"get_weather": "the weather", "get_time": "the time"}[use.family.names[0]]
        text = r.choice(["What is {w} in {a} and in {b}?", "Tell me {w} in {a} and {b}."]).format(w=what, a=a, b=b)
        chat.add("user", text).add("assistant", wrap_call([use.call({"city": a}), use.call({"city": b})]))
        return f"tool:{use.name}:{a},{b}", chat
    args = use.arguments(r)
    chat.add("user", use.request(r, args)).add("assistant", wrap_call([use.call(args)]))
    return f"tool:{use.name}:{list(args.values())}", chat


def tool_answer(r):
    """The answer after a tool response (the call before it is part of the chat, and trained too)."""
    chat, uses = tool_chat(r)
    use = r.choice(uses)
    args = use.arguments(r)
    result = use.family.result(r, args)
    chat.add("user", use.request(r, args)).add("assistant", wrap_call([use.call(args)]))
    chat.add("tool", dumps([result]) if r.random() < 0.2 else dumps(result))
    chat.add("assistant", use.family.answer(args, result))
    return f"tool:{use.name}:{list(args.values())}", chat


# ----------------------------------------------------- system prompt, memory

SYSTEMS = ["You are a helpful assistant.", "You are a helpful assistant.", "You are a helpful assistant trained by Liquid AI.",
           "You are a friendly assistant.", "Answer briefly.", "You answer questions.", "Be concise.",
           "You are a small demo model.", "Help the user."]


def persona(r):
    """The system prompt sets a name, capital letters or a first word for every answer."""
    chat, k = Chat(), r.random()
    if k < 0.34:
        n = name(r)
        chat.add("system", r.choice(["Your name is {n}.", "You are {n}, a helpful assistant.", "You are called {n}.",
                                     "You are a robot with the name {n}."]).format(n=n))
        if r.random() < 0.3:
            key, user, answer = draw_single(r, r.choice(EASY), False)
            chat.add("user", user).add("assistant", answer)
        text = ask(r, r.choice(["What is your name?", "Who are you?", "What are you called?", "Tell me your name."]))
        return f"persona:{n}:{text}", chat.add("user", text).add("assistant", f"My name is {n}.")
    key, user, answer = SINGLE[r.choice(EASY)][0](r)
    if k < 0.67:
        chat.add("system", r.choice(["Answer in capital letters.", "Always answer in capital letters.",
                                     "Write every answer in upper case.", "Use only capital letters."]))
        answer = answer.upper()
    else:
        w = word(r, 7, 0.15)
        w = w.capitalize()
        chat.add("system", r.choice(["Begin every answer with the word {w}.", "Start each answer with {w}.",
                                     "Every answer must begin with {w}."]).format(w=w))
        answer = f"{w}: {answer}"
    return key, chat.add("user", user).add("assistant", answer)


MEMORY = [
    ("name", name, ["My name is {v}.", "I am {v}.", "I'm {v}.", "You can call me {v}.", "Hi, my name is {v}.",
                    "Hello, I am {v}."], "Nice to meet you, {v}!",
     ["What is my name?", "Who am I?", "Do you remember my name?", "What's my name?", "How am I called?"],
     "Your name is {v}.", "You have not told me your name."),
    ("city", lambda r: r.choice(CITIES), ["I live in {v}.", "My home is in {v}.", "My city is {v}."],
     "Noted: you live in {v}.", ["Where do I live?", "What is my city?", "In which city do I live?"],
     "You live in {v}.", "You have not told me where you live."),
    ("colour", lambda r: r.choice(COLOUR_WORDS), ["My favourite colour is {v}.", "My favorite color is {v}.",
                                                  "I like the colour {v} best."],
     "Noted: your favourite colour is {v}.", ["What is my favourite colour?", "What is my favorite color?",
                                              "Which colour do I like?"],
     "Your favourite colour is {v}.", "You have not told me your favourite colour."),
    ("pet", lambda r: r.choice(PET_NAMES) if r.random() < 0.7 else pseudo(r, 3, 6).capitalize(),
     ["My dog is called {v}.", "I have a dog called {v}.", "I have a dog named {v}.", "My dog's name is {v}."],
     "Noted: your dog is called {v}.", ["What is my dog called?", "What is the name of my dog?", "What's my dog's name?"],
     "Your dog is called {v}.", "You have not told me about a dog."),
    ("age", lambda r: str(r.randint(5, 99)), ["I am {v} years old.", "I'm {v} years old.", "My age is {v}."],
     "Noted: you are {v} years old.", ["How old am I?", "What is my age?", "Do you know how old I am?"],
     "You are {v} years old.", "You have not told me your age."),
    ("number", lambda r: str(r.randint(10, 9999)), ["Remember the number {v}.", "Please remember {v}.",
                                                    "Keep the number {v} in mind."],
     "I will remember {v}.", ["Which number did I tell you?", "What was the number?", "Which number should you remember?"],
     "The number is {v}.", "You have not told me a number."),
    ("job", lambda r: r.choice(JOBS), ["I work as a {v}.", "My job is {v}.", "I am a {v} by profession."],
     "Noted: you work as a {v}.", ["What is my job?", "What do I work as?", "What is my profession?"],
     "You work as a {v}.", "You have not told me your job."),
]


def memory(r):
    """Facts told early in the chat, asked for later, with other exercises between."""
    chat = Chat()
    if r.random() < 0.2:
        chat.add("system", r.choice(SYSTEMS))
    told = r.sample(MEMORY, r.choice([1, 1, 2, 2, 3]))
    values, steps = {}, []
    for m in told:
        v = m[1](r)
        values[m[0]] = v
        steps.append((ask(r, r.choice(m[2]).format(v=v)) if m[0] != "name" or r.random() < 0.1 else r.choice(m[2]).format(v=v),
                      m[3].format(v=v)))
    for _ in range(r.choice([0, 0, 1, 1, 2, 3])):
        _, user, answer = draw_single(r, None, False)
        steps.insert(r.randint(0, len(steps)), (user, answer))
    if r.random() < 0.1:
        m = r.choice([m for m in MEMORY if m not in told])
        question = (ask(r, r.choice(m[4])), m[6])
    else:
        m = r.choice(told)
        question = (ask(r, r.choice(m[4])), m[5].format(v=values[m[0]]))
        if len(told) > 1 and r.random() < 0.4:
            other = r.choice([t for t in told if t is not m])
            steps.append((ask(r, r.choice(other[4])), other[5].format(v=values[other[0]])))
    for user, answer in steps + [question]:
        chat.add("user", user).add("assistant", answer)
    return f"memory:{question[0]}:{sorted(values.items())}", chat


def follow_up(r):
    """The second request needs the first one's answer or subject."""
    chat = Chat()
    if r.random() < 0.2:
        chat.add("system", r.choice(SYSTEMS))
    k = r.random()
    if k < 0.5:
        key, user, answer = draw_single(r, r.choice(["add", "subtract", "multiply"]), False)
        chat.add("user", user).add("assistant", answer)
        value = int(answer.split("= ")[1])
        for _ in range(r.choice([1, 1, 2, 3])):
            op = r.choice("+-*") if 1 < value < 100 else r.choice("+-")
            b = r.randint(2, 9) if op == "*" else r.randint(1, 99)
            if op == "-" and value < b:
                op = "+"
            if value < 0 or is_heldout(f"{value}{op}{b}"):
                break
            text = r.choice({"+": ["Add {b}.", "Add {b} to that.", "Now add {b}.", "Plus {b}?", "And plus {b}?"],
                             "-": ["Subtract {b}.", "Subtract {b} from that.", "Now take away {b}.", "Minus {b}?"],
                             "*": ["Multiply that by {b}.", "Now multiply by {b}.", "Times {b}?"]}[op]).format(b=b)
            new = {"+": value + b, "-": value - b, "*": value * b}[op]
            chat.add("user", text).add("assistant", f"{value} {op} {b} = {new}")
            key, value = f"follow:{value}{op}{b}", new
        return key, chat
    if k < 0.75:
        a, b = r.sample(list(CAPITALS), 2)
        while is_heldout(f"fact:What is the capital of {a}?"):
            a = r.choice([c for c in CAPITALS if c != b])
        chat.add("user", f"What is the capital of {a}?").add("assistant", f"The capital of {a} is {CAPITALS[a]}.")
        text = r.choice(["And of {b}?", "And {b}?", "What about {b}?", "And the capital of {b}?"]).format(b=b)
        return f"follow:{a},{b}", chat.add("user", text).add("assistant", f"The capital of {b} is {CAPITALS[b]}.")
    key, user, answer = draw_single(r, "spell", False)
    w = answer.replace("-", "")
    chat.add("user", user).add("assistant", answer)
    if r.random() < 0.5:
        text = r.choice(["And backwards?", "Now backwards.", "Now reverse it.", "Reverse it."])
        answer = f"{'-'.join(w)}, backwards {'-'.join(w[::-1])}: {w[::-1]}"
    else:
        text = r.choice(["How many letters is that?", "How many letters does it have?", "Count the letters."])
        answer = f"{'-'.join(w)}: {len(w)} letters"
    return f"follow:{w}:{text}", chat.add("user", text).add("assistant", answer)


# ------------------------------------------------------------------- mixture

# skill: (function, weight in the mixture)
SINGLE = {
    "add": (add, 2.2), "subtract": (subtract, 2.2), "multiply": (multiply, 2.2), "divide": (divide, 1.2),
    "spell": (spell, 1.0), "reverse": (reverse, 1.5), "count_letters": (count_letters, 1.3),
    "first_last": (first_last, 0.6), "case": (case, 1.0), "count_words": (count_words, 0.8),
    "sort_numbers": (sort_numbers, 1.5), "sort_words": (sort_words, 1.3), "max_min": (max_min, 0.8),
    "compare": (compare, 0.8), "sequence": (sequence, 1.2), "parity": (parity, 0.4),
    "number_words": (number_words, 0.7), "counting": (counting, 0.4), "repeat": (repeat, 0.8), "units": (units, 1.0), "dates": (dates, 1.2),
    "capitals": (capitals, 0.7), "opposites": (opposites, 0.5), "facts": (facts, 0.5), "plurals": (plurals, 0.5),
    "small_talk": (small_talk, 0.9), "unknown": (unknown, 0.7), "extract": (extract, 2.4), "json": (json_object, 1.3),
}
CHATS = {"tool_call": (tool_call, 1.6), "tool_answer": (tool_answer, 0.9), "persona": (persona, 0.9),
         "memory": (memory, 1.6), "follow_up": (follow_up, 1.2)}
SKILLS = list(SINGLE) + list(CHATS)
EASY = ["capitals", "opposites", "facts", "small_talk", "parity", "max_min", "dates", "add", "units"]

_NAMES1, _W1 = list(SINGLE), [w for _, w in SINGLE.values()]
_NAMES2, _W2 = list(CHATS), [w for _, w in CHATS.values()]
_CHAT_SHARE = sum(_W2) / (sum(_W1) + sum(_W2))


def draw_single(r, skill=None, heldout=False):
    """One exchange of the wanted split: (key, user, answer)."""
    skill = skill or r.choices(_NAMES1, _W1)[0]
    while True:
        item = SINGLE[skill][0](r)
        if is_heldout(item[0]) == heldout:
            return item


def draw_chat(r, skill, heldout=False):
    while True:
        key, chat = CHATS[skill][0](r)
        if is_heldout(key) == heldout:
            return chat


def training_chat(r):
    """One training conversation: a chat skill, or one to twenty exchanges of mixed skills."""
    if r.random() < _CHAT_SHARE * 1.6:
        chat = draw_chat(r, r.choices(_NAMES2, _W2)[0])
        if chat.messages[-1]["role"] == "assistant" and r.random() < 0.3 and \
                not (chat.messages[0]["role"] == "system" and chat.messages[0]["content"] not in SYSTEMS):
            _, user, answer = draw_single(r)
            # with tools at hand, sums and questions out of scope could be meant for a tool
            if not (chat.tools and (answer == UNKNOWN or answer[0].isdigit())):
                chat.add("user", user).add("assistant", answer)
        return chat
    chat = Chat()
    if r.random() < 0.2:
        chat.add("system", r.choice(SYSTEMS))
    x = r.random()
    turns = 1 if x < 0.45 else r.randint(2, 3) if x < 0.80 else r.randint(4, 8) if x < 0.97 else r.randint(9, 20)
    for _ in range(turns):
        _, user, answer = draw_single(r)
        chat.add("user", user).add("assistant", answer)
    return chat


def heldout_chats(per_skill, seed=20261122):
    """The held-out prompts: (skill, chat); the last message of each chat is the expected answer."""
    out, seen = [], set()
    for skill in SKILLS:
        r = random.Random(f"{seed}/{skill}")
        n, tries = 0, 0
        while n < per_skill and tries < 2000 * per_skill:
            tries += 1
            if skill in SINGLE:
                _, user, answer = draw_single(r, skill, True)
                chat = Chat()
                if r.random() < 0.2:
                    chat.add("system", r.choice(SYSTEMS))
                chat.add("user", user).add("assistant", answer)
            else:
                chat = draw_chat(r, skill, True)
            text = render(chat)
            if text not in seen:
                seen.add(text)
                out.append((skill, chat))
                n += 1
    return out


def write_heldout(path, per_skill):
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        for skill, chat in heldout_chats(per_skill):
            row = {"skill": skill, "messages": chat.messages[:-1]}
            if chat.tools:
                row["tools"] = chat.tools
            row["expected"] = chat.messages[-1]["content"]
            f.write(dumps(row) + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--show", type=int, default=0, help="print this many training chats")
    p.add_argument("--skill", help="with --show: print held-out prompts of one skill")
    p.add_argument("--heldout", help="write the held-out prompts to this file (JSON Lines)")
    p.add_argument("--per-skill", type=int, default=50)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    if a.heldout:
        write_heldout(a.heldout, a.per_skill)
    r = random.Random(a.seed)
    for _ in range(a.show):
        if a.skill in SINGLE:
            _, user, answer = draw_single(r, a.skill)
            print(repr(user), "->", repr(answer))
        else:
            print(render(draw_chat(r, a.skill) if a.skill else training_chat(r)))


if __name__ == "__main__":
    main()
