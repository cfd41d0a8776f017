# SPDX-License-Identifier: Apache-2.0
"""Letters of a word: spelling, reversing, counting, case."""

from skills.phrasing import ask, quoted, word


def spell(r):
    w = word(r)
    text = r.choice(
        [
            "Spell {q}.",
            "Spell the word {q}.",
            "How do you spell {q}?",
            "Spell {q} letter by letter.",
            "Can you spell {q}?",
            "Write {q} letter by letter.",
        ]
    ).format(q=quoted(r, w))
    return "letters:" + w, ask(r, text), "-".join(w)


def reverse(r):
    w = word(r)
    text = r.choice(
        [
            "Reverse the word {q}.",
            "Reverse {q}.",
            "Write {q} backwards.",
            "What is {q} backwards?",
            "Spell {q} backwards.",
            "What is {q} reversed?",
        ]
    ).format(q=quoted(r, w))
    return "letters:" + w, ask(r, text), f"{'-'.join(w)}, backwards {'-'.join(w[::-1])}: {w[::-1]}"


def times(n):
    return f"{n} time" if n == 1 else f"{n} times"


def count_letters(r):
    w = word(r)
    if r.random() < 0.45:
        text = r.choice(
            [
                "How many letters are in {q}?",
                "How many letters does {q} have?",
                "Count the letters in {q}.",
                "How long is the word {q}?",
            ]
        ).format(q=quoted(r, w))
        return "letters:" + w, ask(r, text), f"{'-'.join(w)}: {len(w)} letters"
    c = r.choice(w) if r.random() < 0.85 else r.choice("abcdefghijklmnopqrstuvwxyz")
    text = r.choice(
        [
            "How many times does {c} occur in {q}?",
            "How many {c}'s are in {q}?",
            "How many times does the letter {c} appear in {q}?",
            "Count the letter {c} in {q}.",
            "How often does {c} occur in the word {q}?",
        ]
    )
    text = text.format(q=quoted(r, w), c=r.choice(["%s", '"%s"']) % c if "'s" not in text else c)
    return "letters:" + w, ask(r, text), f"{'-'.join(w)}: {c} occurs {times(w.count(c))}"


def first_last(r):
    w, k = word(r), r.randint(0, 3)
    if k > 1:
        which, c = ("first", w[0]) if k == 2 else ("last", w[-1])
        text = r.choice(
            [
                "What is the {k} letter of {q}?",
                "Give me the {k} letter of the word {q}.",
                "Which letter comes {k} in {q}?",
            ]
        ).format(k=which, q=quoted(r, w))
        return "letters:" + w, ask(r, text), c
    ws = [word(r, invented=0.15) for _ in range(r.randint(3, 6))]
    which, c = ("first", ws[0]) if k == 0 else ("last", ws[-1])
    text = r.choice(
        [
            "What is the {k} word of: {l}?",
            "Give me the {k} word: {l}.",
            'What is the {k} word in "{l}"?',
        ]
    ).format(k=which, l=" ".join(ws))
    return which + ":" + " ".join(ws), ask(r, text), c


def case(r):
    w = word(r)
    if r.random() < 0.2:
        w = w + " " + word(r)
    if r.random() < 0.65:
        text = r.choice(
            [
                "Write {q} in upper case.",
                "Write {q} in capital letters.",
                "Convert {q} to upper case.",
                "Put {q} in capitals.",
                "Uppercase {q}.",
            ]
        ).format(q=quoted(r, w))
        return "case:" + w, ask(r, text), w.upper()
    text = r.choice(
        [
            "Write {q} in lower case.",
            "Convert {q} to lower case.",
            "Write {q} in small letters.",
            "Lowercase {q}.",
        ]
    ).format(q=quoted(r, w.upper()))
    return "case:" + w, ask(r, text), w
