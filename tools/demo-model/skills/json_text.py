# SPDX-License-Identifier: Apache-2.0
"""JSON from a description."""

from chat_format import dumps
from skills.phrasing import ask, name, names_and, pseudo, word
from words import (
    CAPITALS,
    CITIES,
    COLOUR_WORDS,
    DAYS,
    ITEMS,
    JOBS,
    LANGUAGES,
    MONTHS,
    NAMES,
    PET_NAMES,
    ROOMS,
    SOUNDS,
)

FIELDS = {
    "name": name,
    "city": lambda r: r.choice(CITIES),
    "age": lambda r: r.randint(1, 99),
    "colour": lambda r: r.choice(COLOUR_WORDS),
    "job": lambda r: r.choice(JOBS),
    "price": lambda r: r.randint(1, 999),
    "item": lambda r: r.choice(ITEMS),
    "id": lambda r: r.randint(1, 9999),
    "day": lambda r: r.choice(DAYS),
    "month": lambda r: r.choice(MONTHS)[0],
    "language": lambda r: r.choice(LANGUAGES),
    "country": lambda r: r.choice([c for c in CAPITALS if c[0] != "t"]),
    "active": lambda r: r.random() < 0.5,
    "count": lambda r: r.randint(0, 99),
    "pet": lambda r: r.choice(PET_NAMES),
    "animal": lambda r: r.choice(list(SOUNDS)),
    "room": lambda r: r.choice(ROOMS),
    "year": lambda r: r.randint(1900, 2030),
    "done": lambda r: r.random() < 0.5,
    "word": word,
    "title": lambda r: word(r, invented=0.1).capitalize(),
    "code": lambda r: r.randint(100, 9999),
}


def json_object(r):
    if r.random() < 0.12:
        xs = (
            r.sample(range(1000), r.randint(2, 5))
            if r.random() < 0.5
            else [r.choice(COLOUR_WORDS + ITEMS + NAMES) for _ in range(r.randint(2, 4))]
        )
        text = r.choice(
            [
                "Make a JSON list of {l}.",
                "Write a JSON array with {l}.",
                "JSON list: {l}",
                "Give me {l} as a JSON array.",
            ]
        ).format(l=names_and([str(x) for x in xs]) if r.random() < 0.5 else ", ".join(map(str, xs)))
        return "json:" + dumps(xs), ask(r, text), dumps(xs)
    fs = r.sample(list(FIELDS), r.randint(1, 4))
    if r.random() < 0.12:
        fs[0] = pseudo(r, 3, 7)
    obj = {f: FIELDS[f](r) if f in FIELDS else word(r) for f in fs}
    if r.random() < 0.2:
        obj = {"name": name(r), "age": r.randint(1, 99), "city": r.choice(CITIES)}
        text = r.choice(
            [
                "{n} is {a} years old and lives in {c}. Write this as JSON.",
                "Turn this into JSON: {n} is {a} years old and lives in {c}.",
                "JSON please: {n} is {a} years old and lives in {c}.",
            ]
        )
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
    text = r.choice(
        [
            "Make a JSON object with {p}.",
            "Write a JSON object with {p}.",
            "Create JSON with {p}.",
            "Give me a JSON object with {p}.",
            "Convert to JSON: {p}",
            "Write as JSON: {p}",
            "JSON: {p}",
            "Return JSON for {p}.",
        ]
    ).format(p=parts)
    return "json:" + dumps(obj), ask(r, text), dumps(obj)
