#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/tool_calls.jsonl: tools, and lists of calls that are valid or not. Python's
own parser reads the calls, and jsonschema checks the arguments.

    pip install jsonschema==4.26.0
    tests/golden/make_tool_calls.py
"""

import ast
import json
import pathlib
import random
import warnings

import jsonschema

TARGET = pathlib.Path(__file__).parent / "text" / "tool_calls.jsonl"

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": {
        "type": "object", "required": ["city"], "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
            "unit": {"enum": ["celsius", "fahrenheit"]}}}}},
    {"type": "function", "function": {"name": "files.move-all", "parameters": {
        "type": "object", "required": ["paths", "force"], "properties": {
            "paths": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 3},
            "force": {"type": "boolean"},
            "limit": {"type": ["integer", "null"]},
            "from": {"type": "object", "required": ["a"], "additionalProperties": False,
                     "properties": {"a": {"type": "number"}, "b": {"$ref": "#/$defs/flag"}}}},
        "$defs": {"flag": {"type": ["boolean", "null"]}}}}},
    {"name": "noop", "parameters": {"type": "object", "properties": {}}},
    {"type": "function", "function": {"name": "bare"}},
]

WORDS = ["Oslo", "it's", 'say "hi"', "a\\b", "\u00c5s", "x\ny", "\U0001f600", "", "], f(", "tab\t"]


def functions():
    return {f["name"]: f for f in (tool.get("function", tool) for tool in TOOLS)}


def write_string(text, rng):
    """Strings of an enum are written in one way only."""
    quote = rng.choice("'\"")
    out = ""
    for c in text:
        if c in ("\\", quote):
            out += "\\" + c
        elif c in "\n\t":
            out += {"\n": "\\n", "\t": "\\t"}[c]
        elif c in "'\"" and rng.random() < 0.3:
            out += "\\" + c
        elif ord(c) < 0x10000 and text in WORDS and rng.random() < 0.05:
            out += f"\\u{ord(c):04x}"
        else:
            out += c
    return quote + out + quote


def write(value, rng):
    if isinstance(value, str):
        return write_string(value, rng)
    if isinstance(value, list):
        return "[" + ", ".join(write(v, rng) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(write(k, rng) + ": " + write(v, rng) for k, v in value.items()) + "}"
    return repr(value)


def random_value(schema, rng):
    """Mostly valid under the schema."""
    if rng.random() < 0.08:
        return rng.choice([None, True, False, 3, -1, 2.5, "text", [], ["a"], {}])
    if "$ref" in schema:
        return rng.choice([True, False, None])
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema["type"] if isinstance(schema["type"], str) else rng.choice(schema["type"])
    if kind == "string":
        return rng.choice(WORDS)
    if kind == "integer":
        return rng.randint(-1, 16)
    if kind == "number":
        return rng.choice([0, 1.5, -2, 1e-07])
    if kind == "array":
        return [random_value(schema["items"], rng) for _ in range(rng.randint(0, 4))]
    if kind == "object":
        return {k: random_value(s, rng) for k, s in schema["properties"].items() if rng.random() < 0.7}
    return None if kind == "null" else rng.choice([True, False])


def random_call(rng):
    name = rng.choice(list(functions()))
    properties = functions()[name].get("parameters", {}).get("properties", {})
    arguments = {k: random_value(s, rng) for k, s in properties.items() if rng.random() < 0.75}
    if rng.random() < 0.04:
        arguments["unknown"] = 1
    return name + "(" + ", ".join(f"{k}={write(v, rng)}" for k, v in arguments.items()) + ")"


def damage(text, rng):
    pairs = [("True", "true"), ("False", "false"), ("None", "null"), ("=", ":"), ("(", ""), (")", ""),
             ("]", ""), ("'", ""), ('"', ""), ("get_weather", "get_wether"), (", ", "; "), ("noop()", "noop")]
    found = [pair for pair in pairs if pair[0] in text]
    old, new = rng.choice(found)
    return text.replace(old, new, 1)


def read_name(node):
    """Dots and dashes are attributes and differences to Python."""
    if isinstance(node, ast.Attribute):
        return read_name(node.value) + "." + node.attr
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return read_name(node.left) + "-" + read_name(node.right)
    return node.id


def is_valid_call(source):
    """Keywords that Python reserves, such as `from`, are renamed before it parses them."""
    call = ast.parse(source.replace("from=", "from_="), mode="eval").body
    if isinstance(call, ast.BinOp):  # files.move-all(...)
        name = read_name(call.left) + "-" + read_name(call.right.func)
        call = call.right
    else:
        name = read_name(call.func)
    function = functions().get(name)
    if function is None or call.args:
        return False
    arguments = {k.arg.rstrip("_"): ast.literal_eval(k.value) for k in call.keywords}
    schema = dict(function.get("parameters", {}), additionalProperties=False)
    order = [k for k in schema.get("properties", {}) if k in arguments]
    return list(arguments) == order and jsonschema.Draft202012Validator(schema).is_valid(arguments)


def is_valid(text, calls):
    """`calls` is the number of calls in the text if it is undamaged."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    try:
        return calls is not None and all(is_valid_call(call) for call in calls)
    except (SyntaxError, ValueError, AttributeError, Warning):
        return False


def main():
    rng = random.Random(19)
    warnings.simplefilter("error")  # escapes that Python does not know
    n_valid = 0
    with TARGET.open("w", encoding="utf-8") as out:
        out.write(json.dumps({"tools": TOOLS}) + "\n")
        for i in range(400):
            calls = [random_call(rng) for _ in range(rng.choice([1, 1, 1, 2]))]
            if i % 4 == 3:
                calls[0] = damage(calls[0], rng)
            text = "[" + ", ".join(calls) + "]"
            valid = is_valid(text, calls)
            n_valid += valid
            out.write(json.dumps({"t": text, "ok": valid}, ensure_ascii=False) + "\n")
    print(f"400 texts, {n_valid} valid")


if __name__ == "__main__":
    main()
