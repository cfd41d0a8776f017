# SPDX-License-Identifier: Apache-2.0
"""What several skills share: variants of a request, words, names and numbers."""

from words import (
    CITIES,
    COLOUR_WORDS,
    CONDITIONS,
    DAYS,
    DETS,
    EVENTS,
    IRREGULAR,
    ITEMS,
    JOBS,
    LANGUAGES,
    MONTHS,
    NAMES,
    OPPOSITES,
    PLACES,
    PLURALISE,
    ROOMS,
    VERBS,
    WORDS,
)

PREFIXES = [
    "Please tell me: ",
    "Hi! ",
    "Hello! ",
    "Question: ",
    "Tell me, ",
    "Quick question: ",
    "Hey, ",
]
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
CLUSTERS = (
    "bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm sn sp st str sw th tr tw wh kn".split()
)
CODAS = (
    "ck ct ft ld lf lk lm lp lt mp nd ng nk nt ps pt rd rk rm rn rp rt sk sp st th ll ss ff".split()
)


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


ALL_WORDS = sorted(
    {
        w
        for w in WORDS
        + PLURALISE
        + list(OPPOSITES)
        + list(OPPOSITES.values())
        + ITEMS
        + ROOMS
        + JOBS
        + EVENTS
        + CONDITIONS
        + list(IRREGULAR.values())
        if w.isalpha()
    }
    | {
        n.lower()
        for n in NAMES
        + DAYS
        + [m for m, _ in MONTHS]
        + LANGUAGES
        + [c for c in CITIES if c.isalpha()]
    }
)


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


def sentence(r):
    """A short sentence of known words, without the final point."""
    who = r.choice(
        [name(r), f"{r.choice(DETS)} {r.choice(JOBS)}", f"{r.choice(DETS)} {r.choice(WORDS[:360])}"]
    )
    s = f"{who} {r.choice(VERBS)} {r.choice(DETS)} "
    if r.random() < 0.5:
        s += r.choice(COLOUR_WORDS) + " "
    s += r.choice(WORDS[:360])
    if r.random() < 0.4:
        s += " " + r.choice(PLACES)
    return s


SYSTEMS = [
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are a helpful assistant trained by Liquid AI.",
    "You are a friendly assistant.",
    "Answer briefly.",
    "You answer questions.",
    "Be concise.",
    "You are a small demo model.",
    "Help the user.",
]
