# SPDX-License-Identifier: Apache-2.0
"""Sums, differences, products and quotients."""

from skills.phrasing import ask, number


def binary(r, symbol, word_, forms, a, b, result):
    text = r.choice(
        [
            "What is {a} {s} {b}?",
            "What is {a} {s} {b}?",
            "{a} {s} {b}",
            "{a}{s}{b}",
            "{a} {s} {b} =",
            "{a} {s} {b} = ?",
            "{a}{s}{b}=?",
            "Calculate {a} {s} {b}.",
            "Compute {a} {s} {b}.",
            "How much is {a} {s} {b}?",
            "What does {a} {s} {b} give?",
            "What is {a} {w} {b}?",
            "How much is {a} {w} {b}?",
            "{a} {w} {b}",
            "What's {a} {s} {b}?",
        ]
        + forms
    )
    s = r.choice("*x") if symbol == "*" else symbol
    text = text.format(a=a, b=b, s=s, w=word_)
    return (
        f"{a}{symbol}{b}",
        ask(r, text) if text[0].isalpha() else text,
        f"{a} {symbol} {b} = {result}",
    )


def add(r):
    if r.random() < 0.1:
        xs = [r.randint(0, 99) for _ in range(3)]
        text = " + ".join(map(str, xs))
        return (
            text,
            ask(r, r.choice(["What is {t}?", "Calculate {t}.", "How much is {t}?"]).format(t=text)),
            f"{text} = {sum(xs)}",
        )
    a, b = number(r, 9999), number(r, 9999)
    return binary(
        r, "+", "plus", ["Add {a} and {b}.", "What is the sum of {a} and {b}?"], a, b, a + b
    )


def subtract(r):
    a, b = number(r, 9999), number(r, 9999)
    if a < b and r.random() < 0.85:
        a, b = b, a
    return binary(
        r, "-", "minus", ["Subtract {b} from {a}.", "Take {b} away from {a}."], a, b, a - b
    )


def multiply(r):
    a, b = r.randint(2, 99), r.randint(2, 12)
    if r.random() < 0.4:
        a, b = b, a
    return binary(
        r,
        "*",
        "times",
        ["Multiply {a} by {b}.", "What is the product of {a} and {b}?"],
        a,
        b,
        a * b,
    )


def divide(r):
    b, q = r.randint(2, 12), r.randint(1, 99)
    return binary(r, "/", "divided by", ["Divide {a} by {b}."], b * q, b, q)
