# SPDX-License-Identifier: Apache-2.0
"""Questions about a note that the prompt contains."""

from skills.phrasing import name
from words import CITIES, CURRENCIES, DAYS, EVENTS, ITEMS, JOBS


def clock(r):
    return f"{r.randint(0, 23)}:{r.randint(0, 59):02d}"


def event_note(r, _):
    """Sentences of a note, a question, the answer. The other notes have n similar sentences."""
    e, day, t, room, who = r.choice(EVENTS), r.choice(DAYS), clock(r), r.randint(1, 99), name(r)
    facts_ = [f"The {e} is on {day} at {t} in room {room}.", f"{who} brings the {r.choice(ITEMS)}."]
    if r.random() < 0.5:
        facts_.reverse()
    q, a = r.choice(
        [
            (f"On which day is the {e}?", day),
            (f"At what time is the {e}?", t),
            (f"When does the {e} start?", t),
            (f"In which room is the {e}?", f"room {room}"),
            (f"What is on {day}?", f"the {e}"),
        ]
    )
    return facts_, q, a


def price_note(r, n):
    items, cur = r.sample(ITEMS, n), r.choice(CURRENCIES)
    prices = r.sample(range(1, 100), n)
    facts_ = [f"{i.capitalize()} cost {p} {cur}." for i, p in zip(items, prices)]
    j = r.randrange(n)
    q, a = (
        (f"How much do {items[j]} cost?", f"{prices[j]} {cur}")
        if r.random() < 0.7
        else (f"What costs {prices[j]} {cur}?", items[j])
    )
    return facts_, q, a


def place_note(r, n):
    who, where = [name(r) for _ in range(n)], r.sample(CITIES, n)
    verb, w = r.choice([("lives", "live"), ("works", "work"), ("was born", None)])
    facts_ = [f"{p} {verb} in {c}." for p, c in zip(who, where)]
    j = r.randrange(n)
    if r.random() < 0.6 and who.count(who[j]) == 1:
        q, a = (f"Where does {who[j]} {w}?" if w else f"Where was {who[j]} born?"), where[j]
    else:
        q, a = f"Who {verb} in {where[j]}?", who[j]
    return facts_, q, a


def code_note(r, n):
    things, cs = r.sample(
        ["door", "box", "room", "safe", "gate", "locker", "garage", "bike"], n
    ), r.sample(range(1000, 10000), n)
    facts_ = [f"The code for the {t} is {c}." for t, c in zip(things, cs)]
    j = r.randrange(n)
    q, a = r.choice(
        [f"What is the code for the {things[j]}?", f"Which code opens the {things[j]}?"]
    ), str(cs[j])
    return facts_, q, a


def job_note(r, n):
    who, jobs = [name(r) for _ in range(n)], r.sample(JOBS, n)
    ages = r.sample(range(18, 90), n)
    facts_ = [f"{p} is a {j} and {a} years old." for p, j, a in zip(who, jobs, ages)]
    j = r.randrange(n)
    opts = [(f"Who is the {jobs[j]}?", who[j]), (f"Who is {ages[j]} years old?", who[j])]
    if who.count(who[j]) == 1:
        opts += [
            (f"How old is {who[j]}?", str(ages[j])),
            (f"What is the job of {who[j]}?", jobs[j]),
        ]
    q, a = r.choice(opts)
    return facts_, q, a


NOTES = [event_note, price_note, place_note, code_note, job_note]


def extract(r):
    """Answer from a note given in the prompt."""
    k = r.randrange(5)
    facts_, q, a = NOTES[k](r, r.randint(2, 4))
    note = " ".join(facts_)
    text = r.choice(
        [
            "Note: {f} Question: {q}",
            "According to the note, {l} Note: {f}",
            "Read this: {f} {q}",
            "{f} {q}",
            "{f}\n{q}",
            "Text: {f}\nQuestion: {q}",
            "Here is a note: {f} According to the note, {l}",
        ]
    )
    return "extract:" + note + q, text.format(f=note, q=q, l=q[0].lower() + q[1:]), a
