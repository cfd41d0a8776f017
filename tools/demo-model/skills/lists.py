# SPDX-License-Identifier: Apache-2.0
"""Sentences and lists: counting words, sorting, the largest, comparing, repeating."""

from skills.phrasing import ALL_WORDS, ask, names_and, number, quoted, sentence, word
from words import NAMES


def count_words(r):
    n = r.randint(2, 8)
    s = " ".join(word(r, invented=0.1) for _ in range(n)) if r.random() < 0.5 else sentence(r)
    text = r.choice(
        [
            'How many words are in "{s}"?',
            "How many words are in this sentence: {s}?",
            "Count the words: {s}.",
            'Count the words in "{s}".',
            'How many words does "{s}" have?',
        ]
    ).format(s=s)
    return "words:" + s, ask(r, text), f"{len(s.split())} words"


def listing(r, items):
    style = r.random()
    return (
        ", ".join(items)
        if style < 0.7
        else (
            ",".join(items)
            if style < 0.75
            else " ".join(items) if style < 0.87 else names_and(items)
        )
    )


def distinct_numbers(r, lo, hi):
    top = r.choice([20, 99, 99, 999, 999])
    return r.sample(range(top + 1), r.randint(lo, hi))


def sort_numbers(r):
    xs = distinct_numbers(r, 3, 6)
    items = [str(x) for x in xs]
    down = r.random() < 0.3
    forms = (
        [
            "Sort in descending order: {l}.",
            "Sort from largest to smallest: {l}.",
            "Put these numbers in descending order: {l}.",
            "Order these from high to low: {l}.",
        ]
        if down
        else [
            "Sort: {l}.",
            "Sort: {l}",
            "Sort {l}.",
            "Sort the following numbers: {l}.",
            "Sort the list [{l}].",
            "Sort these numbers: {l}.",
            "Sort the numbers {l}.",
            "Put these numbers in order: {l}.",
            "Sort in ascending order: {l}.",
            "Order these from smallest to largest: {l}.",
            "Please sort {l}.",
        ]
    )
    text = r.choice(forms).format(l=listing(r, items))
    return "sort:" + ",".join(items), ask(r, text), ", ".join(map(str, sorted(xs, reverse=down)))


def sort_words(r):
    pool = NAMES if r.random() < 0.2 else ALL_WORDS
    ws = r.sample(pool, r.randint(3, 5))
    text = r.choice(
        [
            "Sort these words: {l}.",
            "Sort alphabetically: {l}.",
            "Put these words in alphabetical order: {l}.",
            "Sort the words {l}.",
            "Sort in alphabetical order: {l}.",
            "Sort: {l}.",
        ]
    )
    return "sort:" + ",".join(ws), ask(r, text.format(l=listing(r, ws))), ", ".join(sorted(ws))


def max_min(r):
    xs = distinct_numbers(r, 2, 6)
    big = r.random() < 0.5
    adj = r.choice(
        ["largest", "biggest", "greatest", "highest"] if big else ["smallest", "lowest", "least"]
    )
    l = listing(r, [str(x) for x in xs])
    text = r.choice(
        [
            "What is the {a} number: {l}?",
            "Which is the {a} of {l}?",
            "Find the {a} number in {l}.",
            "Which number is the {a}: {l}?",
            "What is the {m} of {l}?",
        ]
    ).format(a=adj, l=l, m="maximum" if big else "minimum")
    return "max:" + ",".join(map(str, xs)), ask(r, text), str(max(xs) if big else min(xs))


def compare(r):
    a, b = number(r), number(r)
    if r.random() < 0.15:
        b = max(0, a + r.randint(-2, 2))
    k = r.random()
    if k < 0.4 and a != b:
        big = r.random() < 0.5
        text = r.choice(
            [
                "Which is {w}, {a} or {b}?",
                "Which number is {w}: {a} or {b}?",
                "What is {w}, {a} or {b}?",
            ]
        )
        text = text.format(
            w=r.choice(["larger", "bigger", "greater"] if big else ["smaller", "less", "lower"]),
            a=a,
            b=b,
        )
        return f"cmp:{a},{b}", ask(r, text), str(max(a, b) if big else min(a, b))
    if k < 0.6:
        text = r.choice(["Compare {a} and {b}.", "Compare the numbers {a} and {b}."]).format(
            a=a, b=b
        )
        return f"cmp:{a},{b}", ask(r, text), f"{a} {'<' if a < b else '>' if a > b else '='} {b}"
    big = r.random() < 0.5
    w = r.choice(["greater", "larger", "bigger"] if big else ["less", "smaller"])
    yes = a > b if big else a < b
    text = r.choice(["Is {a} {w} than {b}?", "Is {a} {w} than {b}, yes or no?"]).format(
        a=a, b=b, w=w
    )
    return f"cmp:{a},{b}", ask(r, text), "Yes" if yes else "No"


def repeat(r):
    k = r.random()
    if k < 0.4:
        w, n = word(r), r.randint(2, 6)
        text = r.choice(
            [
                "Repeat the word {q} {n} times.",
                "Write {q} {n} times.",
                "Say {q} {n} times.",
                "Repeat {q} {n} times.",
            ]
        ).format(q=quoted(r, w), n=n)
        return f"repeat:{w},{n}", ask(r, text), " ".join([w] * n)
    if k < 0.7:
        s = sentence(r)
    elif k < 0.9:
        s = " ".join(word(r, invented=0.4) for _ in range(r.randint(1, 6)))
    else:
        s = " ".join(str(r.randint(0, 9999)) for _ in range(r.randint(1, 3)))
    text = r.choice(
        [
            "Repeat after me: {s}",
            'Say "{s}".',
            "Copy this: {s}",
            'Repeat: "{s}"',
            "Echo: {s}",
            "Repeat exactly: {s}",
        ]
    ).format(s=s)
    return "repeat:" + s, text, s
