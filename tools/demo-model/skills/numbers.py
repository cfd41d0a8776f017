# SPDX-License-Identifier: Apache-2.0
"""Sequences, counting, even and odd, numbers in words."""

from skills.phrasing import ask, number


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
        xs = [a * 2**i for i in range(n + 1)]
    else:
        a, d = r.randint(0, 10), r.choice([1, 1, 2])
        xs = [chr(97 + a + i * d) for i in range(n + 1)]
    l = ", ".join(map(str, xs[:-1]))
    text = r.choice(
        [
            "What comes next: {l}?",
            "Continue the sequence: {l}",
            "What is the next number: {l}?",
            "Which number follows {l}?",
            "Next in the sequence {l}?",
            "Continue: {l}, ...",
        ]
    )
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
        text = r.choice(
            [
                "Is {n} even or odd?",
                "Is {n} odd or even?",
                "Is the number {n} even or odd?",
                "Even or odd: {n}?",
            ]
        )
        return f"parity:{n}", ask(r, text.format(n=n)), f"{n} is {w}."
    asked = r.choice(["even", "odd"])
    text = r.choice(["Is {n} {a}?", "Is {n} an {a} number?", "Is the number {n} {a}?"])
    return (
        f"parity:{n}",
        ask(r, text.format(n=n, a=asked)),
        f"{'Yes' if asked == w else 'No'}, {n} is {w}.",
    )


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n):
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + ("-" + ONES[n % 10] if n % 10 else "")
    return ONES[n // 100] + " hundred" + (" " + in_words(n % 100) if n % 100 else "")


def number_words(r):
    n = number(r)
    few = n < 100  # too few to learn if whole numbers were held out: hold out wordings
    if r.random() < 0.5:
        text = r.choice(
            [
                "Write {n} in words.",
                "Write the number {n} in words.",
                "How do you write {n} in words?",
                "Spell out the number {n}.",
                "{n} in words?",
            ]
        ).format(n=n)
        text = ask(r, text)
        return "numword:" + (text if few else str(n)), text, in_words(n)
    text = r.choice(
        [
            "Write {w} in digits.",
            "Write {w} as a number.",
            "Which number is {w}?",
            "Write {w} in figures.",
        ]
    ).format(w=in_words(n))
    text = ask(r, text)
    return "numword:" + (text if few else str(n)), text, str(n)
