# SPDX-License-Identifier: Apache-2.0
"""Tools: families of tools, calls, and answers after a tool response."""

from chat_format import TOOL_CALL, Chat, dumps
from skills.phrasing import SYSTEMS, ask, name, names_and, pseudo, word
from skills.single import SINGLE
from words import CITIES, CONDITIONS, CURRENCIES, DAYS, LANGUAGES, ROOMS, WORDS


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
    params = [
        (
            f"s{i}",
            [w],
            *r.choice(
                [
                    ("string", "Text", lambda r: word(r, invented=0.1)),
                    ("string", "Text", name),
                    ("integer", "Number", lambda r: r.randint(0, 999)),
                    ("boolean", "Yes or no", lambda r: r.random() < 0.5),
                ]
            ),
        )
        for i, w in enumerate(r.sample(WORDS, r.randint(1, 3)))
    ]

    def said(i, joint):
        return f"{params[i][1][0]}{joint}{{s{i}}}"

    joint = r.choice([" ", " = ", ": "])
    with_ = names_and([said(i, joint) for i in range(len(params))])
    n = r.choice([f"{r.choice(WORDS)}_{r.choice(WORDS)}", r.choice(WORDS), pseudo(r)])
    return Tool(
        [n],
        ["A tool", f"Tool for {r.choice(WORDS)}", f"{r.choice(WORDS).capitalize()} tool"],
        params,
        [f"Call {n} with {with_}.", f"Use {n} with {with_}.", f"Run the tool {n} with {with_}."],
        lambda r, a: {"status": "ok"},
        lambda a, x: "Done.",
    )


# a parameter: slot, names, JSON type, description, sampler
CITY = (
    "city",
    ["city", "location", "place", "city_name"],
    "string",
    "Name of the city",
    lambda r: r.choice(CITIES),
)
TOOLS = [
    Tool(
        ["get_weather", "weather", "current_weather", "get_forecast", "check_weather"],
        ["Get the current weather", "Weather in a city", "Returns the weather"],
        [CITY],
        [
            "What is the weather in {city}?",
            "How is the weather in {city}?",
            "Weather in {city}?",
            "Tell me the weather in {city}.",
            "What's the weather like in {city} today?",
        ],
        lambda r, a: {"temperature": r.randint(-9, 39), "condition": r.choice(CONDITIONS)},
        lambda a, x: f"It is {x['temperature']} degrees and {x['condition']} in {a['city']}.",
    ),
    Tool(
        ["get_time", "local_time", "current_time", "clock"],
        ["Get the local time", "Current time in a city"],
        [CITY],
        ["What time is it in {city}?", "Tell me the time in {city}.", "Current time in {city}?"],
        lambda r, a: {"time": f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}"},
        lambda a, x: f"It is {x['time']} in {a['city']}.",
    ),
    Tool(
        ["set_alarm", "create_alarm", "alarm", "add_alarm"],
        ["Set an alarm", "Create an alarm clock"],
        [
            ("h", ["hour", "hours", "h"], "integer", "Hour", _hour),
            ("m", ["minute", "minutes", "m"], "integer", "Minute", lambda r: r.randint(10, 59)),
        ],
        ["Set an alarm for {h}:{m}.", "Wake me up at {h}:{m}.", "Alarm at {h}:{m}, please."],
        lambda r, a: {"status": "ok"},
        lambda a, x: f"The alarm is set for {a['h']}:{a['m']}.",
    ),
    Tool(
        ["set_timer", "start_timer", "timer"],
        ["Start a timer", "Countdown timer"],
        [
            (
                "n",
                ["minutes", "duration", "length"],
                "integer",
                "Length in minutes",
                lambda r: r.randint(1, 90),
            )
        ],
        ["Set a timer for {n} minutes.", "Start a timer of {n} minutes.", "Timer: {n} minutes."],
        lambda r, a: {"status": "ok"},
        lambda a, x: f"The timer is set for {a['n']} minutes.",
    ),
    Tool(
        ["send_email", "send_message", "email", "mail_to"],
        ["Send a message", "Send an email to a person"],
        [
            ("to", ["to", "recipient", "receiver"], "string", "Who gets it", name),
            ("s", ["subject", "text", "title"], "string", "What it says", _text),
        ],
        [
            'Send a message to {to}: "{s}"',
            'Write an email to {to} with the subject "{s}".',
            'Tell {to} "{s}".',
        ],
        lambda r, a: {"status": "sent"},
        lambda a, x: f"The message to {a['to']} is sent.",
    ),
    Tool(
        ["set_light", "switch_light", "light", "control_light"],
        ["Switch a light", "Turn the light of a room on or off"],
        [
            ("room", ["room", "place", "area"], "string", "Room", lambda r: r.choice(ROOMS)),
            (
                "on",
                ["on", "state", "enabled"],
                "boolean",
                "True for on",
                lambda r: r.random() < 0.5,
            ),
        ],
        [
            "Turn {onoff} the light in the {room}.",
            "Switch {onoff} the {room} light.",
            "Light {onoff} in the {room}, please.",
        ],
        lambda r, a: {"status": "ok"},
        lambda a, x: f"The light in the {a['room']} is {'on' if a['on'] else 'off'}.",
    ),
    Tool(
        ["get_price", "price", "lookup_price", "product_price"],
        ["Price of a product", "Look up a price"],
        [
            (
                "p",
                ["product", "item", "article"],
                "string",
                "Product name",
                lambda r: word(r, invented=0.1),
            )
        ],
        [
            "What is the price of {p}?",
            "How much does {p} cost?",
            "Price of {p}?",
            "Look up the price of {p}.",
        ],
        lambda r, a: {"price": r.randint(1, 999), "currency": r.choice(CURRENCIES)},
        lambda a, x: f"The price of {a['p']} is {x['price']} {x['currency']}.",
    ),
    Tool(
        ["play_music", "play_song", "music", "start_music"],
        ["Play music", "Play a song"],
        [("s", ["song", "title", "query"], "string", "What to play", _text)],
        ['Play "{s}".', 'Play the song "{s}".', 'I want to hear "{s}".'],
        lambda r, a: {"status": "playing"},
        lambda a, x: f"Now playing {a['s']}.",
    ),
    Tool(
        ["add_note", "create_note", "save_note", "write_note"],
        ["Save a note", "Write a note"],
        [("t", ["text", "note", "content"], "string", "Text of the note", _text)],
        ["Make a note: {t}", "Note down: {t}", "Save this note: {t}", "Add a note: {t}"],
        lambda r, a: {"id": r.randint(1, 99)},
        lambda a, x: f"The note is saved with number {x['id']}.",
    ),
    Tool(
        ["convert_currency", "exchange", "currency", "convert_money"],
        ["Convert money", "Exchange between currencies"],
        [
            ("n", ["amount", "value"], "integer", "Amount", lambda r: r.randint(1, 999)),
            (
                "f",
                ["source", "from_currency", "base"],
                "string",
                "From",
                lambda r: r.choice(CURRENCIES),
            ),
            (
                "t",
                ["target", "to_currency", "into"],
                "string",
                "To",
                lambda r: r.choice(CURRENCIES),
            ),
        ],
        ["Convert {n} {f} to {t}.", "How many {t} are {n} {f}?", "Exchange {n} {f} into {t}."],
        lambda r, a: {"result": r.randint(1, 9999)},
        lambda a, x: f"{a['n']} {a['f']} are {x['result']} {a['t']}.",
    ),
    Tool(
        ["calculator", "calculate", "evaluate", "compute"],
        ["Evaluate an expression", "A calculator"],
        [
            (
                "e",
                ["expression", "formula", "input"],
                "string",
                "Expression",
                lambda r: f"{r.randint(1000, 99999)} {r.choice('+-*/')} {r.randint(10, 99999)}",
            )
        ],
        ["What is {e}?", "Calculate {e}.", "Use the calculator: {e}", "Compute {e}."],
        lambda r, a: {"result": r.randint(100, 9999999)},
        lambda a, x: f"The result is {x['result']}.",
    ),
    Tool(
        ["get_distance", "distance", "route_length"],
        ["Distance between two cities", "How far two places are apart"],
        [
            (
                "a",
                ["start", "origin", "from_city"],
                "string",
                "First city",
                lambda r: r.choice(CITIES),
            ),
            (
                "b",
                ["end", "destination", "to_city"],
                "string",
                "Second city",
                lambda r: r.choice(CITIES),
            ),
        ],
        [
            "How far is it from {a} to {b}?",
            "What is the distance from {a} to {b}?",
            "Distance from {a} to {b}?",
        ],
        lambda r, a: {"km": r.randint(50, 9999)},
        lambda a, x: f"It is {x['km']} km from {a['a']} to {a['b']}.",
    ),
    Tool(
        ["book_table", "reserve_table", "reservation"],
        ["Book a table", "Make a reservation"],
        [
            ("d", ["day", "date"], "string", "Day", lambda r: r.choice(DAYS)),
            (
                "n",
                ["people", "guests", "persons"],
                "integer",
                "Number of guests",
                lambda r: r.randint(2, 12),
            ),
        ],
        [
            "Book a table for {n} people on {d}.",
            "Reserve a table on {d} for {n} guests.",
            "A table for {n} on {d}, please.",
        ],
        lambda r, a: {"status": "booked"},
        lambda a, x: f"The table for {a['n']} people is booked on {a['d']}.",
    ),
    Tool(
        ["set_temperature", "thermostat", "heat", "set_heating"],
        ["Set the heating", "Control the thermostat"],
        [
            (
                "n",
                ["degrees", "temperature", "celsius"],
                "integer",
                "Degrees",
                lambda r: r.randint(10, 30),
            )
        ],
        ["Set the temperature to {n} degrees.", "Heat to {n} degrees.", "Make it {n} degrees."],
        lambda r, a: {"status": "ok"},
        lambda a, x: f"The temperature is set to {a['n']} degrees.",
    ),
    Tool(
        ["translate", "translate_text", "translator"],
        ["Translate a text", "Translate words"],
        [
            ("t", ["text", "phrase", "input"], "string", "Text", _text),
            (
                "l",
                ["language", "target", "into"],
                "string",
                "Language",
                lambda r: r.choice(LANGUAGES),
            ),
        ],
        ['Translate "{t}" to {l}.', 'What is "{t}" in {l}?', 'How do you say "{t}" in {l}?'],
        lambda r, a: {"translation": pseudo(r)},
        lambda a, x: f"In {a['l']} that is {x['translation']}.",
    ),
    Tool(
        ["search", "web_search", "find_pages", "lookup"],
        ["Search the web", "Find pages"],
        [("q", ["query", "q", "keywords"], "string", "Search words", _text)],
        [
            "Search for {q}.",
            "Search the web for {q}.",
            "Find pages about {q}.",
            "Look up {q} on the web.",
        ],
        lambda r, a: {"hits": r.randint(2, 999)},
        lambda a, x: f"I found {x['hits']} pages.",
    ),
]


def python_literal(v):
    return repr(v) if isinstance(v, (bool, int)) else '"%s"' % v


class ToolUse:
    """One tool family with its variant fixed: schema, request, call and answer."""

    def __init__(self, r, family):
        self.family = family
        self.name = r.choice(family.names)
        if r.random() < 0.12:  # names that are never the same: they must be read, not known
            self.name = r.choice(
                [self.name + "_" + pseudo(r, 2, 5), r.choice(WORDS) + "_" + self.name]
            )
        self.slots = [
            (p[0], r.choice(p[1]) if r.random() < 0.92 else pseudo(r, 3, 7), p)
            for p in family.params
        ]
        if len({s[1] for s in self.slots}) < len(self.slots):
            self.slots = [(p[0], p[1][0], p) for p in family.params]
        props = {}
        described = r.random() < 0.5
        for _, pname, p in self.slots:
            props[pname] = {"type": p[2], "description": p[3]} if described else {"type": p[2]}
        self.schema = {
            "name": self.name,
            "description": r.choice(family.descriptions),
            "parameters": {
                "type": "object",
                "properties": props,
                "required": [s[1] for s in self.slots],
            },
        }

    def arguments(self, r):
        return {slot: p[4](r) for slot, _, p in self.slots}

    def request(self, r, args):
        values = dict(args, onoff="on" if args.get("on") else "off")
        return ask(r, r.choice(self.family.requests).format(**values))

    def call(self, args):
        return (
            f"{self.name}("
            + ", ".join(f"{n}={python_literal(args[s])}" for s, n, _ in self.slots)
            + ")"
        )


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
    """A call with its arguments; sometimes two calls in one message, sometimes no call."""
    chat, uses = tool_chat(r)
    use = r.choice(uses)
    if r.random() < 0.12:
        key, user, answer = SINGLE[
            r.choice(["add", "capitals", "small_talk", "reverse", "opposites"])
        ][0](r)
        if use.family.names[0] != "calculator" and all(
            u.family.names[0] != "calculator" for u in uses
        ):
            return key, chat.add("user", user).add("assistant", answer)
    if len(use.slots) == 1 and use.slots[0][0] == "city" and r.random() < 0.25:
        a, b = r.sample(CITIES, 2)
        what = {"get_weather": "the weather", "get_time": "the time"}[use.family.names[0]]
        text = r.choice(["What is {w} in {a} and in {b}?", "Tell me {w} in {a} and {b}."]).format(
            w=what, a=a, b=b
        )
        chat.add("user", text).add(
            "assistant", wrap_call([use.call({"city": a}), use.call({"city": b})])
        )
        return f"tool:{use.name}:{a},{b}", chat
    args = use.arguments(r)
    chat.add("user", use.request(r, args)).add("assistant", wrap_call([use.call(args)]))
    return f"tool:{use.name}:{list(args.values())}", chat


def tool_answer(r):
    """The answer after a tool response. The chat contains the call, which is trained as well."""
    chat, uses = tool_chat(r)
    use = r.choice(uses)
    args = use.arguments(r)
    result = use.family.result(r, args)
    chat.add("user", use.request(r, args)).add("assistant", wrap_call([use.call(args)]))
    chat.add("tool", dumps([result]) if r.random() < 0.2 else dumps(result))
    chat.add("assistant", use.family.answer(args, result))
    return f"tool:{use.name}:{list(args.values())}", chat
