# SPDX-License-Identifier: Apache-2.0
"""Units, dates, capitals, opposites, facts about animals and things, plurals."""

from skills.phrasing import VOWELS, ask, quoted
from words import (
    CAPITALS,
    COLOURS,
    DAYS,
    IRREGULAR,
    LEGS,
    MONTHS,
    OPPOSITES,
    PLURALISE,
    SOUNDS,
    YOUNG,
)

UNITS = [
    ("kilometres", "metres", 1000),
    ("metres", "centimetres", 100),
    ("centimetres", "millimetres", 10),
    ("hours", "minutes", 60),
    ("minutes", "seconds", 60),
    ("days", "hours", 24),
    ("weeks", "days", 7),
    ("kilograms", "grams", 1000),
    ("litres", "millilitres", 1000),
    ("feet", "inches", 12),
    ("years", "months", 12),
    ("tonnes", "kilograms", 1000),
    ("euros", "cents", 100),
    ("metres", "millimetres", 1000),
]


def units(r):
    big, small, f = r.choice(UNITS)
    n = r.randint(1, 99 if f in (10, 100, 1000) else 30)
    if r.random() < 0.7:
        key, a, b, x, y = f"unit:{n}{big}{small}", big, small, n, n * f
    else:
        key, a, b, x, y = f"unit:{n}{big}{small}", small, big, n * f, n
    text = r.choice(
        [
            "How many {b} are {x} {a}?",
            "Convert {x} {a} to {b}.",
            "How many {b} are in {x} {a}?",
            "What is {x} {a} in {b}?",
            "{x} {a} in {b}?",
        ]
    )

    def u(v, unit):
        return (
            ("foot" if unit == "feet" else unit[:-2] if unit == "inches" else unit[:-1])
            if v == 1
            else unit
        )

    return key, ask(r, text.format(x=x, a=u(x, a), b=b)), f"{x} {u(x, a)} = {y} {u(y, b)}"


def week_days(r, k):
    """Exercises of dates for k < 0.45."""
    d = r.randrange(7)
    if k < 0.2:
        after = r.random() < 0.6
        text = r.choice(
            [
                "What day comes {w} {d}?",
                "Which day is {w} {d}?",
                "What is the day {w} {d}?",
                "Which day of the week comes {w} {d}?",
            ]
        ).format(w="after" if after else "before", d=DAYS[d])
        text = ask(r, text)
        return "date:" + text, text, DAYS[(d + (1 if after else -1)) % 7]
    else:
        n = r.randint(1, 14)
        plural = "day" if n == 1 else "days"
        if r.random() < 0.7:
            text = r.choice(
                [
                    "Today is {d}. What day is it in {n} {p}?",
                    "If today is {d}, what day is it in {n} {p}?",
                    "What day is it {n} {p} after {d}?",
                    "It is {d}. Which day is it in {n} {p}?",
                ]
            )
            answer = DAYS[(d + n) % 7]
        else:
            text = r.choice(
                [
                    "Today is {d}. What day was it {n} {p} ago?",
                    "What day is it {n} {p} before {d}?",
                    "If today is {d}, what day was it {n} {p} ago?",
                ]
            )
            answer = DAYS[(d - n) % 7]
        text = ask(r, text.format(d=DAYS[d], n=n, p=plural))
        return "date:" + text, text, answer


def months(r, k):
    """Exercises of dates for other k."""
    r.randrange(7)  # as in week_days: the random numbers that follow stay the same
    m = r.randrange(12)
    month, length = MONTHS[m]
    if k < 0.6:
        text = ask(
            r,
            r.choice(
                [
                    "How many days are in {m}?",
                    "How many days does {m} have?",
                    "How long is {m} in days?",
                ]
            ).format(m=month),
        )
        return "date:" + text, text, f"{month} has {length} days."
    if k < 0.75:
        after = r.random() < 0.6
        text = ask(
            r,
            r.choice(
                [
                    "What month comes {w} {m}?",
                    "Which month is {w} {m}?",
                    "What is the month {w} {m}?",
                ]
            ).format(w="after" if after else "before", m=month),
        )
        return "date:" + text, text, MONTHS[(m + (1 if after else -1)) % 12][0]
    day = r.randint(1, length) if r.random() < 0.7 else length
    text = r.choice(
        [
            "What date comes after {d} {m}?",
            "What is the day after {d} {m}?",
            "Which date follows {d} {m}?",
            "Today is {d} {m}. What is the date tomorrow?",
        ]
    ).format(d=day, m=month)
    answer = f"{day + 1} {month}" if day < length else f"1 {MONTHS[(m + 1) % 12][0]}"
    return f"date:{day} {month}", ask(r, text), answer


def dates(r):
    k = r.random()
    return week_days(r, k) if k < 0.45 else months(r, k)


def capitals(r):
    country = r.choice(list(CAPITALS))
    city = CAPITALS[country]
    if r.random() < 0.75:
        text = ask(
            r,
            r.choice(
                [
                    "What is the capital of {c}?",
                    "What's the capital of {c}?",
                    "Capital of {c}?",
                    "Which city is the capital of {c}?",
                    "Name the capital of {c}.",
                    "Tell me the capital of {c}.",
                    "What is the capital city of {c}?",
                ]
            ).format(c=country),
        )
        return "fact:" + text, text, f"The capital of {country} is {city}."
    text = ask(
        r,
        r.choice(
            [
                "Which country has the capital {c}?",
                "{c} is the capital of which country?",
                "Of which country is {c} the capital?",
            ]
        ).format(c=city),
    )
    return "fact:" + text, text, f"{city} is the capital of {country}."


def opposites(r):
    a, b = r.choice(list(OPPOSITES.items()))
    if r.random() < 0.35 and b not in OPPOSITES and b not in ("light", "old", "short"):
        a, b = b, a
    text = ask(
        r,
        r.choice(
            [
                "What is the opposite of {q}?",
                "Opposite of {q}?",
                "Give me the opposite of {q}.",
                "What's the opposite of {q}?",
                "Name the opposite of {q}.",
                "What is the contrary of {q}?",
                "Which word is the opposite of {q}?",
            ]
        ).format(q=quoted(r, a)),
    )
    return "fact:" + text, text, f"The opposite of {a} is {b}."


def facts(r):
    k = r.randrange(4)

    def an(x):
        return ("an " if x[0] in VOWELS else "a ") + x

    if k == 0:
        x = r.choice(list(COLOURS))
        bare = x in ("grass", "snow", "coal", "blood", "milk", "chocolate", "broccoli", "spinach")
        w = (
            x
            if bare
            else ("the " if x in ("sky", "sun") else "") + (x if x in ("sky", "sun") else an(x))
        )
        text = r.choice(
            ["What colour is {w}?", "What color is {w}?", "Which colour does {w} have?"]
        ).format(w=w)
        answer = f"{w[0].upper() + w[1:]} is {COLOURS[x]}."
    elif k == 1:
        x = r.choice(list(SOUNDS))
        text = r.choice(
            [
                "What sound does {w} make?",
                "Which sound does {w} make?",
                "What does {w} do to make noise?",
                "What noise does {w} make?",
            ]
        ).format(w=an(x))
        answer = f"{an(x).capitalize()} {SOUNDS[x]}."
    elif k == 2:
        x = r.choice(list(LEGS))
        text = r.choice(
            [
                "How many legs does {w} have?",
                "How many legs has {w}?",
                "Tell me how many legs {w} has.",
            ]
        ).format(w=an(x))
        answer = f"{an(x).capitalize()} has {LEGS[x]} legs."
    else:
        x = r.choice(list(YOUNG))
        text = r.choice(
            [
                "What is a young {w} called?",
                "What do you call a young {w}?",
                "What is a baby {w} called?",
                "What is the young of {a} called?",
            ]
        ).format(w=x, a=an(x))
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
    text = ask(
        r,
        r.choice(
            [
                "What is the plural of {q}?",
                "Plural of {q}?",
                "Give me the plural of {q}.",
                "One {w}, two what?",
                "Write {q} in the plural.",
                "What's the plural form of {q}?",
            ]
        ).format(q=quoted(r, w), w=w),
    )
    return "plural:" + text, text, plural_of(w)
