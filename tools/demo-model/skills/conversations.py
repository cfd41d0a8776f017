# SPDX-License-Identifier: Apache-2.0
"""Conversations of several turns: personas, memory, follow-up questions."""

from chat_format import Chat
from skills.phrasing import SYSTEMS, ask, name, pseudo, word
from skills.single import EASY, SINGLE, draw_single, is_heldout
from words import CAPITALS, CITIES, COLOUR_WORDS, JOBS, PET_NAMES


def persona(r):
    """The system prompt sets a name, capital letters or a first word for every answer."""
    chat, k = Chat(), r.random()
    if k < 0.34:
        n = name(r)
        chat.add(
            "system",
            r.choice(
                [
                    "Your name is {n}.",
                    "You are {n}, a helpful assistant.",
                    "You are called {n}.",
                    "You are a robot with the name {n}.",
                ]
            ).format(n=n),
        )
        if r.random() < 0.3:
            key, user, answer = draw_single(r, r.choice(EASY), False)
            chat.add("user", user).add("assistant", answer)
        text = ask(
            r,
            r.choice(
                ["What is your name?", "Who are you?", "What are you called?", "Tell me your name."]
            ),
        )
        return f"persona:{n}:{text}", chat.add("user", text).add("assistant", f"My name is {n}.")
    key, user, answer = SINGLE[r.choice(EASY)][0](r)
    if k < 0.67:
        chat.add(
            "system",
            r.choice(
                [
                    "Answer in capital letters.",
                    "Always answer in capital letters.",
                    "Write every answer in upper case.",
                    "Use only capital letters.",
                ]
            ),
        )
        answer = answer.upper()
    else:
        w = word(r, 7, 0.15)
        w = w.capitalize()
        chat.add(
            "system",
            r.choice(
                [
                    "Begin every answer with the word {w}.",
                    "Start each answer with {w}.",
                    "Every answer must begin with {w}.",
                ]
            ).format(w=w),
        )
        answer = f"{w}: {answer}"
    return key, chat.add("user", user).add("assistant", answer)


MEMORY = [
    (
        "name",
        name,
        [
            "My name is {v}.",
            "I am {v}.",
            "I'm {v}.",
            "You can call me {v}.",
            "Hi, my name is {v}.",
            "Hello, I am {v}.",
        ],
        "Nice to meet you, {v}!",
        [
            "What is my name?",
            "Who am I?",
            "Do you remember my name?",
            "What's my name?",
            "How am I called?",
        ],
        "Your name is {v}.",
        "You have not told me your name.",
    ),
    (
        "city",
        lambda r: r.choice(CITIES),
        ["I live in {v}.", "My home is in {v}.", "My city is {v}."],
        "Noted: you live in {v}.",
        ["Where do I live?", "What is my city?", "In which city do I live?"],
        "You live in {v}.",
        "You have not told me where you live.",
    ),
    (
        "colour",
        lambda r: r.choice(COLOUR_WORDS),
        ["My favourite colour is {v}.", "My favorite color is {v}.", "I like the colour {v} best."],
        "Noted: your favourite colour is {v}.",
        ["What is my favourite colour?", "What is my favorite color?", "Which colour do I like?"],
        "Your favourite colour is {v}.",
        "You have not told me your favourite colour.",
    ),
    (
        "pet",
        lambda r: r.choice(PET_NAMES) if r.random() < 0.7 else pseudo(r, 3, 6).capitalize(),
        [
            "My dog is called {v}.",
            "I have a dog called {v}.",
            "I have a dog named {v}.",
            "My dog's name is {v}.",
        ],
        "Noted: your dog is called {v}.",
        ["What is my dog called?", "What is the name of my dog?", "What's my dog's name?"],
        "Your dog is called {v}.",
        "You have not told me about a dog.",
    ),
    (
        "age",
        lambda r: str(r.randint(5, 99)),
        ["I am {v} years old.", "I'm {v} years old.", "My age is {v}."],
        "Noted: you are {v} years old.",
        ["How old am I?", "What is my age?", "Do you know how old I am?"],
        "You are {v} years old.",
        "You have not told me your age.",
    ),
    (
        "number",
        lambda r: str(r.randint(10, 9999)),
        ["Remember the number {v}.", "Please remember {v}.", "Keep the number {v} in mind."],
        "I will remember {v}.",
        [
            "Which number did I tell you?",
            "What was the number?",
            "Which number should you remember?",
        ],
        "The number is {v}.",
        "You have not told me a number.",
    ),
    (
        "job",
        lambda r: r.choice(JOBS),
        ["I work as a {v}.", "My job is {v}.", "I am a {v} by profession."],
        "Noted: you work as a {v}.",
        ["What is my job?", "What do I work as?", "What is my profession?"],
        "You work as a {v}.",
        "You have not told me your job.",
    ),
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
        steps.append(
            (
                (
                    ask(r, r.choice(m[2]).format(v=v))
                    if m[0] != "name" or r.random() < 0.1
                    else r.choice(m[2]).format(v=v)
                ),
                m[3].format(v=v),
            )
        )
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


def more_arithmetic(r, chat):
    """A calculation, then one to three more with its result."""
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
        text = r.choice(
            {
                "+": ["Add {b}.", "Add {b} to that.", "Now add {b}.", "Plus {b}?", "And plus {b}?"],
                "-": [
                    "Subtract {b}.",
                    "Subtract {b} from that.",
                    "Now take away {b}.",
                    "Minus {b}?",
                ],
                "*": ["Multiply that by {b}.", "Now multiply by {b}.", "Times {b}?"],
            }[op]
        ).format(b=b)
        new = {"+": value + b, "-": value - b, "*": value * b}[op]
        chat.add("user", text).add("assistant", f"{value} {op} {b} = {new}")
        key, value = f"follow:{value}{op}{b}", new
    return key, chat


def follow_up(r):
    """The second request needs the first one's answer or subject."""
    chat = Chat()
    if r.random() < 0.2:
        chat.add("system", r.choice(SYSTEMS))
    k = r.random()
    if k < 0.5:
        return more_arithmetic(r, chat)
    if k < 0.75:
        a, b = r.sample(list(CAPITALS), 2)
        while is_heldout(f"fact:What is the capital of {a}?"):
            a = r.choice([c for c in CAPITALS if c != b])
        chat.add("user", f"What is the capital of {a}?").add(
            "assistant", f"The capital of {a} is {CAPITALS[a]}."
        )
        text = r.choice(
            ["And of {b}?", "And {b}?", "What about {b}?", "And the capital of {b}?"]
        ).format(b=b)
        return f"follow:{a},{b}", chat.add("user", text).add(
            "assistant", f"The capital of {b} is {CAPITALS[b]}."
        )
    key, user, answer = draw_single(r, "spell", False)
    w = answer.replace("-", "")
    chat.add("user", user).add("assistant", answer)
    if r.random() < 0.5:
        text = r.choice(["And backwards?", "Now backwards.", "Now reverse it.", "Reverse it."])
        answer = f"{'-'.join(w)}, backwards {'-'.join(w[::-1])}: {w[::-1]}"
    else:
        text = r.choice(
            ["How many letters is that?", "How many letters does it have?", "Count the letters."]
        )
        answer = f"{'-'.join(w)}: {len(w)} letters"
    return f"follow:{w}:{text}", chat.add("user", text).add("assistant", answer)
