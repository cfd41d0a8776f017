#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/schema_cases.jsonl: JSON Schemas, values, and which are valid according to
the package jsonschema (4.26, with the extra format-nongpl).

  make_schema_cases.py [--check]      --check: compare with the committed file instead of writing it

The first line is a pool of values. Each other line has a schema, further values, and a string with
one digit for each value of the pool and each further one: 1 if it is valid, - if it is not checked. Schemas without a draft are
checked as draft 2020-12.
"""
import argparse
import json
import os
import re
import sys

import jsonschema
from jsonschema import validators

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "text", "schema_cases.jsonl")
D4 = "http://json-schema.org/draft-04/schema#"
D7 = "http://json-schema.org/draft-07/schema#"
D20 = "https://json-schema.org/draft/2020-12/schema"

POOL = [
    None, True, False, 0, 1, -1, 2, 3, 4, 5, 6, 7, 10, 12, 14, 99, 100, 101, -10, 1.0, 2.0, 1.5, -2.5,
    0.1, 0.25, 0.01, 0.005, 1e-05, 2.5e-07, 123.456, 12345678901234567890, "", "a", "b", "ab", "abc",
    "abcd", "A", "0", "1", "10", "foo", "bar", "a b", "a-b", "x1", "\u00e9", "\u65e5\u672c",
    "\U0001f600", "\n", "\"", "\\", "/", "\u0000", "\u007f", "a@b.example", "2020-02-29", "red",
    [], [1], [2], [1, 2], [1, 1], [2, 1], [1, 2, 3], ["a"], ["a", "b"], ["b", "a"], ["a", "a"],
    ["a", "b", "c"], [None], [True, False], [[1]], [[]], [{}], [1, "a"], ["a", 1], [1, "a", True],
    {}, {"a": 1}, {"a": "x"}, {"a": None}, {"a": True}, {"b": 2}, {"b": "y"}, {"c": 3},
    {"a": 1, "b": 2}, {"a": "x", "b": "y"}, {"a": 1, "c": 3}, {"a": 1, "b": 2, "c": 3},
    {"a": {"a": {}}}, {"a": {"a": 1}}, {"a": {"b": 1}}, {"a": [1]}, {"a": []}, {"": 1}, {"a b": 1},
    {"\u00e9": 1}, {"x1": 1}, {"x1": 1, "x2": "z"}, {"x1": "z", "a": 1}, {"foo": "bar"},
    {"foo": 1, "bar": 2}, {"kind": "x", "v": 1}, {"kind": "y", "w": 1}, {"kind": "x", "w": 1},
    {"kind": "z"}, {"left": {}, "right": {"left": {}}}, {"d": 1, "e": 2, "f": 3, "g": 4},
]

TYPES = [
    True, {}, {"type": "null"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"},
    {"type": "string"}, {"type": "array"}, {"type": "object"}, {"type": ["integer", "string"]},
    {"type": ["null", "array", "number"]}, {"$schema": D4, "type": "integer"},
    {"$schema": D7, "type": "integer"}, {"type": ["integer", "number"]},
    {"title": "t", "description": "d", "default": 1, "examples": [1], "$comment": "c"},
    {"unknown": {"type": "null"}},
]
VALUES = [
    {"const": 1}, {"const": 1.5}, {"const": "a"}, {"const": None}, {"const": True}, {"const": []},
    {"const": {}}, {"const": [1, 2]}, {"const": {"a": 1}}, {"const": {"a": {"a": 1}}},
    {"const": {"a": 1, "b": 2}}, {"const": "\u00e9"}, {"const": "\n"}, {"const": 1e-05},
    {"const": [[1]]}, {"const": [{}]}, {"enum": [1, "a", None]}, {"enum": ["red", "foo"]},
    {"enum": [[], {}, False]}, {"enum": [1, 1.5, 100]}, {"enum": [{"a": 1}, {"b": 2}, "ab"]},
    {"enum": ["a", "b"], "maxLength": 0}, {"enum": ["a", "abc", "b"], "minLength": 2},
    {"enum": [1, 5, 10, 1.5], "minimum": 2}, {"enum": [1, 5, 10, 1.5], "type": "integer"},
    {"enum": ["a", 1], "type": "string"}, {"enum": ["ab", "b"], "pattern": "^a"},
    {"enum": ["a", "b", 1], "not": {"const": "a"}}, {"enum": [0, 1], "type": "boolean"},
    {"enum": [{"a": 1}, {"b": 2}], "required": ["a"]}, {"const": 2.0}, {"const": 0},
    {"enum": [{"a": 1}, [1]], "type": "array"},
]
NUMBERS = [
    {"minimum": 2}, {"maximum": 2}, {"exclusiveMinimum": 1}, {"exclusiveMaximum": 1},
    {"type": "integer", "minimum": 1}, {"type": "integer", "maximum": -1},
    {"type": "integer", "minimum": -1, "maximum": 10}, {"type": "integer", "minimum": 5},
    {"type": "integer", "exclusiveMinimum": 1.5}, {"type": "integer", "exclusiveMinimum": 1},
    {"type": "integer", "exclusiveMaximum": 100}, {"type": "integer", "minimum": -9, "maximum": 99},
    {"type": "number", "minimum": 0}, {"type": "number", "exclusiveMinimum": 0},
    {"type": "number", "maximum": 0}, {"type": "number", "exclusiveMaximum": 0},
    {"type": "number", "minimum": 0, "maximum": 1}, {"type": "number", "minimum": -2.5},
    {"type": "number", "exclusiveMinimum": -2.5}, {"type": "number", "maximum": 0.1},
    {"type": "number", "exclusiveMaximum": 0.1}, {"type": "number", "minimum": 0.01},
    {"type": "number", "minimum": 1e-05, "maximum": 1e-05}, {"type": "number", "maximum": 2.5e-07},
    {"type": "number", "minimum": 0.25, "maximum": 123.456}, {"minimum": 99, "maximum": 101},
    {"type": "integer", "minimum": 99, "maximum": 101}, {"type": "number", "minimum": 1e+19},
    {"type": "integer", "minimum": 12345678901234567890}, {"minimum": 1, "exclusiveMinimum": 1},
    {"allOf": [{"minimum": -20}, {"minimum": -3}, {"maximum": -1}, {"maximum": -2}]},
    {"multipleOf": 1}, {"multipleOf": 2}, {"type": "integer", "multipleOf": 3},
    {"type": "integer", "multipleOf": 7}, {"type": "number", "multipleOf": 0.01},
    {"type": "number", "multipleOf": 0.5}, {"type": "number", "multipleOf": 2.5},
    {"type": "integer", "multipleOf": 5, "minimum": 1, "maximum": 100},
    {"allOf": [{"multipleOf": 2}, {"multipleOf": 3}], "type": "integer"},
    {"type": "integer", "not": {"multipleOf": 2}}, {"type": "number", "not": {"type": "integer"}},
    {"type": "number", "not": {"minimum": 2}}, {"type": "number", "not": {"const": 1}},
    {"type": "integer", "not": {"enum": [1, 2, 3]}}, {"$schema": D4, "minimum": 1,
                                                     "exclusiveMinimum": True},
    {"$schema": D4, "maximum": 10, "exclusiveMaximum": True, "type": "integer"},
    {"type": "integer", "multipleOf": 0.5}, {"type": "integer", "multipleOf": 1.5},
]
STRINGS = [
    {"minLength": 1}, {"maxLength": 1}, {"minLength": 2, "maxLength": 3}, {"maxLength": 0},
    {"type": "string", "minLength": 3}, {"minLength": 1.0, "maxLength": 2.0}, {"pattern": "a"},
    {"pattern": "^a"}, {"pattern": "a$"}, {"pattern": "^a$"}, {"pattern": "^[a-c]+$"},
    {"pattern": "^\\d+$"}, {"pattern": "\\w\\s\\w"}, {"pattern": "^(a|b)*$"}, {"pattern": "^$"},
    {"pattern": "^.$"}, {"pattern": "^[^a]$"}, {"pattern": "^\\u00e9$"}, {"pattern": "a{2}|b"},
    {"pattern": "^a?b?c?$"}, {"pattern": "^(?:ab)+c*$"}, {"pattern": "^[\\w-]+$"},
    {"pattern": "\\\\"}, {"pattern": "\""}, {"pattern": "^\\S+$"}, {"pattern": "(^a|b$)"},
    {"pattern": "a$b"}, {"pattern": "a^b"}, {"pattern": "a$b*"}, {"pattern": "b*^a"},
    {"pattern": "^x[0-9]{1,3}$"}, {"pattern": "[^\\x00-\\x7f]"}, {"pattern": "^a", "maxLength": 2},
    {"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, {"not": {"pattern": "a"}, "type": "string"},
    {"not": {"minLength": 2}, "type": "string"}, {"type": "string", "not": {"enum": ["a", "foo"]}},
    {"pattern": "^(\\/?[a-z]*($|\\/))*$"}, {"pattern": "^[\\u0041-\\u005a]*?$"},
    {"pattern": "^\\p{Lu}$|^a$"},
    {"anyOf": [{"pattern": "^a"}, {"maxLength": 1}], "type": "string"},
]
FORMATS = [
    ({"format": "date"}, ["2020-02-28", "2021-02-29", "2000-02-29", "1900-02-29", "2021-04-31",
                          "2021-13-01", "2021-1-01", "21-01-01"]),
    ({"format": "date-time"}, ["2020-02-29T12:00:00Z", "2020-02-29T12:00:00.123+01:30",
                               "2021-02-29T12:00:00Z", "2020-02-29T24:00:00Z", "2020-02-29",
                               "2020-02-29T12:00:00"]),
    ({"format": "time"}, ["12:00:00Z", "23:59:59.5-01:00", "24:00:00Z", "12:60:00Z", "12:00"]),
    ({"format": "duration"}, ["P1D", "PT1H", "P1Y2M3DT4H5M6S", "P4W", "PT", "P", "P1S", "1D"]),
    ({"format": "email"}, ["joe@host.example", "joe.b+c@x.example", "joe"]),
    ({"format": "hostname"}, ["example.com", "a", "a-b.c", "-a.b", "a_b", "a..b", "x" * 63 + ".c",
                              "x" * 64 + ".c"]),
    ({"format": "ipv4"}, ["1.2.3.4", "255.255.255.255", "256.1.1.1", "1.2.3", "01.2.3.4"]),
    ({"format": "ipv6"}, ["::1", "::", "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:7", "12345::",
                          "::ffff:1.2.3.4", "1::2::3"]),
    ({"format": "uri"}, ["http://a.example/b?c#d", "urn:a:b", "mailto:a@b.example", "//a/b", "a b",
                         "http://[::1]:80/", "http://a.example/%zz"]),
    ({"format": "uri-reference"}, ["/a", "#x", "a/b", "http://a.example", "a b", "\\\\a"]),
    ({"format": "uuid"}, ["2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380",
                          "2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380"]),
    ({"format": "json-pointer"}, ["", "/a/b~0~1", "/a~", "a"]),
    ({"format": "date", "pattern": "^2020"}, ["2020-01-01", "2021-01-01"]),
    ({"format": "made-up", "type": "string"}, []), ({"type": "integer", "format": "int32"}, []),
    ({"type": "string", "not": {"format": "ipv4"}}, ["1.2.3.4", "1.2.3"]),
]
INT = {"type": "integer"}
STR = {"type": "string"}
OBJECTS = [
    {"properties": {"a": INT}}, {"properties": {"a": INT, "b": INT}, "required": ["a"]},
    {"type": "object", "properties": {"a": INT}, "additionalProperties": False},
    {"type": "object", "properties": {"a": INT}, "additionalProperties": INT},
    {"type": "object", "properties": {"a": STR, "b": STR}, "required": ["a", "b"]},
    {"required": ["c"]}, {"required": ["b", "a"]}, {"required": []}, {"properties": {"a": False}},
    {"properties": {"a": True}, "additionalProperties": False},
    {"type": "object", "additionalProperties": STR}, {"additionalProperties": False},
    {"patternProperties": {"^x": INT}}, {"patternProperties": {"^x": INT, "2$": STR}},
    {"patternProperties": {"^x": INT}, "additionalProperties": False},
    {"patternProperties": {"a": INT}, "properties": {"a": {"minimum": 2}}},
    {"patternProperties": {"^[a-z]$": True}, "additionalProperties": False},
    {"properties": {"a": INT}, "patternProperties": {"b": INT}, "additionalProperties": STR},
    {"minProperties": 1}, {"minProperties": 2}, {"maxProperties": 0}, {"maxProperties": 1},
    {"minProperties": 2, "maxProperties": 3}, {"type": "object", "maxProperties": 2},
    {"properties": {"a": INT, "b": INT}, "maxProperties": 1},
    {"properties": {"a": INT, "b": INT, "c": INT}, "minProperties": 2, "additionalProperties": False},
    {"properties": {"a": INT, "b": INT, "c": INT}, "required": ["a"], "minProperties": 2,
     "maxProperties": 2},
    {"propertyNames": {"maxLength": 1}}, {"propertyNames": {"pattern": "^[a-z]$"}},
    {"propertyNames": {"enum": ["a", "b"]}}, {"propertyNames": False},
    {"propertyNames": {"not": {"const": "a"}}}, {"propertyNames": {"minLength": 2}, "type": "object"},
    {"dependentRequired": {"a": ["b"]}}, {"dependentRequired": {"a": ["b"], "b": ["a"]}},
    {"dependentRequired": {"a": ["b", "c"]}, "type": "object"}, {"dependentRequired": {"a": []}},
    {"dependentSchemas": {"a": {"properties": {"b": STR}}}}, {"dependentSchemas": {"a": False}},
    {"$schema": D7, "dependencies": {"a": ["b"]}},
    {"$schema": D7, "dependencies": {"a": {"required": ["c"]}}},
    {"properties": {"a": {"properties": {"a": INT}}}},
    {"properties": {"a": {"type": "object", "required": ["a"]}}},
    {"properties": {"\u00e9": STR}}, {"properties": {"": INT}, "additionalProperties": False},
    {"properties": {"a b": STR}}, {"additionalProperties": {"type": "null"}, "type": "object"},
    {"properties": {"kind": {"enum": ["x", "y"]}}, "required": ["kind"]},
    {"type": "object", "properties": {"d": INT, "e": INT, "f": INT, "g": INT}},
    {"unevaluatedProperties": False}, {"properties": {"a": True}, "unevaluatedProperties": False},
]
ARRAYS = [
    {"items": INT}, {"items": STR}, {"type": "array", "items": {"type": ["integer", "boolean"]}},
    {"items": False}, {"items": {"items": INT}}, {"minItems": 1}, {"maxItems": 1},
    {"minItems": 2, "maxItems": 2}, {"type": "array", "minItems": 3}, {"prefixItems": [INT]},
    {"prefixItems": [INT, STR]}, {"prefixItems": [INT, STR], "items": False},
    {"prefixItems": [INT], "items": STR}, {"prefixItems": [INT, STR], "minItems": 2},
    {"$schema": D7, "items": [INT, STR]}, {"$schema": D7, "items": [INT], "additionalItems": False},
    {"$schema": D7, "items": [INT], "additionalItems": STR},
    {"$schema": D7, "items": INT, "additionalItems": False}, {"contains": INT},
    {"contains": {"const": 1}}, {"contains": STR, "type": "array"},
    {"contains": {"const": "a"}, "maxContains": 1}, {"contains": {"const": 1}, "minContains": 2},
    {"contains": {"const": 1}, "minContains": 0}, {"contains": INT, "minContains": 1, "maxContains": 2},
    {"contains": {"const": "b"}, "items": STR}, {"contains": STR, "prefixItems": [INT]},
    {"contains": INT, "minItems": 2}, {"contains": INT, "minItems": 1, "maxItems": 2},
    {"contains": False}, {"contains": True}, {"not": {"contains": INT}},
    {"items": {"enum": ["a", "b", "c"]}, "uniqueItems": True},
    {"items": {"enum": [1, 2, 1.0]}, "uniqueItems": True, "type": "array"},
    {"items": {"type": "boolean"}, "uniqueItems": True, "minItems": 1},
    {"uniqueItems": True, "maxItems": 1}, {"uniqueItems": False},
    {"items": {"const": "a"}, "uniqueItems": True}, {"type": "array", "maxItems": 0},
    {"prefixItems": [{"const": 1}], "contains": {"const": 2}}, {"unevaluatedItems": False},
    {"prefixItems": [INT], "unevaluatedItems": False}, {"not": {"items": INT}, "type": "array"},
    {"not": {"prefixItems": [INT, STR]}, "type": "array"}, {"not": {"minItems": 2}, "type": "array"},
]
KIND = [{"properties": {"kind": {"const": "x"}, "v": INT}, "required": ["kind", "v"]},
        {"properties": {"kind": {"const": "y"}, "w": INT}, "required": ["kind", "w"]}]
APPLICATORS = [
    {"allOf": [INT, {"minimum": 2}]}, {"allOf": [STR, {"maxLength": 1}, {"pattern": "a"}]},
    {"allOf": [{"properties": {"a": INT}}, {"properties": {"b": INT}, "required": ["b"]}]},
    {"allOf": [{"additionalProperties": INT}, {"properties": {"a": {"minimum": 2}}}]},
    {"allOf": [{"properties": {"a": True}, "additionalProperties": False},
               {"properties": {"b": True}}]},
    {"allOf": [{"items": INT}, {"prefixItems": [{"minimum": 2}]}]},
    {"anyOf": [INT, STR]}, {"anyOf": [{"minimum": 5}, {"maximum": 1}]}, {"anyOf": [INT, {}]},
    {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"},
    {"anyOf": [{"properties": {"a": INT}}, {"properties": {"a": STR}}]}, {"anyOf": KIND},
    {"anyOf": [{"maxLength": 1}, {"minLength": 3}], "type": "string"},
    {"oneOf": [INT, STR]}, {"oneOf": [INT, {"minimum": 2}]}, {"oneOf": KIND},
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"oneOf": [STR, {"maxLength": 1}]},
    {"oneOf": [{"type": "null"}, {"type": "array", "items": INT}]}, {"oneOf": [True, False]},
    {"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}], "type": "integer"},
    {"oneOf": [{"properties": {"a": INT}, "required": ["a"]},
               {"properties": {"b": INT}, "required": ["b"]}, {"required": ["c"]}]},
    {"oneOf": [{"properties": {"a": True}, "additionalProperties": False},
               {"properties": {"b": True}, "additionalProperties": False}], "type": "object"},
    {"oneOf": [{"patternProperties": {"^x": INT}, "minProperties": 1, "type": "object"}, STR]},
    {"not": INT}, {"not": {"type": ["string", "number"]}}, {"not": {"required": ["a"]}},
    {"not": {"required": ["a", "b"]}, "type": "object"}, {"not": {"const": 1}},
    {"not": {"const": {"a": 1}}, "type": "object"}, {"not": {"enum": [[1], "a", None]}},
    {"not": {"properties": {"a": INT}}, "type": "object"},
    {"not": {"additionalProperties": INT}, "type": "object"},
    {"not": {"patternProperties": {"^x": INT}}, "type": "object"}, {"not": {"not": INT}},
    {"not": {"allOf": [INT, {"minimum": 2}]}}, {"not": {"anyOf": [INT, STR]}},
    {"not": {"oneOf": [INT, {"minimum": 2}]}}, {"not": {"propertyNames": {"maxLength": 1}}},
    {"not": {"minProperties": 1}, "type": "object"}, {"not": {"maxProperties": 1}, "type": "object"},
    {"not": {"dependentRequired": {"a": ["b"]}}}, {"not": {"const": [1, 2]}, "type": "array"},
    {"if": INT, "then": {"minimum": 2}, "else": STR}, {"if": INT, "then": {"minimum": 2}},
    {"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"if": INT, "else": False},
    {"if": {"properties": {"kind": {"const": "x"}}, "required": ["kind"]},
     "then": {"required": ["v"]}, "else": {"required": ["w"]}, "type": "object"}, {"then": False},
    {"allOf": [{"if": {"properties": {"kind": {"const": k}}}, "then": {"required": [r]}}
               for k, r in (("x", "v"), ("y", "w"), ("z", "q"))], "required": ["kind"]},
    {"anyOf": [{"allOf": [INT, {"minimum": 0}]}, {"not": {"type": ["number", "object", "array"]}}]},
    {"allOf": [{"anyOf": [INT, STR]}, {"anyOf": [STR, {"type": "null"}]}]},
]
REFERENCES = [
    {"$ref": "#/$defs/i", "$defs": {"i": INT}}, {"$ref": "#/definitions/i", "definitions": {"i": INT}},
    {"properties": {"a": {"$ref": "#/$defs/i"}}, "$defs": {"i": INT}},
    {"$ref": "#/$defs/i", "minimum": 2, "$defs": {"i": INT}},
    {"$schema": D7, "$ref": "#/definitions/i", "minimum": 2, "definitions": {"i": INT}},
    {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
    {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "type": "object",
     "additionalProperties": False},
    {"type": ["array", "integer"], "items": {"$ref": "#"}},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": STR}}, {"$ref": "#/$defs/a%20b", "$defs": {"a b": STR}},
    {"$ref": "#i", "$defs": {"x": {"$anchor": "i", "type": "integer"}}},
    {"$id": "http://h.example/root", "$ref": "item", "$defs": {"x": {"$id": "item",
                                                                   "type": "integer"}}},
    {"$schema": D7, "$id": "http://h.example/root", "properties": {"a": {"$ref": "item#/definitions/y"}},
     "definitions": {"x": {"$id": "item", "definitions": {"y": INT}}}},
    {"$id": "http://h.example/a/root", "$ref": "http://h.example/a/item",
     "$defs": {"x": {"$id": "item", "type": "integer"}}},
    {"$id": "http://h.example/a/b/root", "$ref": "http://h.example/a/c",
     "$defs": {"x": {"$id": "../c", "type": "integer"}}},
    {"$id": "http://h.example/a/root", "$ref": "http://h.example/c#/$defs/y",
     "$defs": {"x": {"$id": "/c", "$defs": {"y": STR}}}},
    {"$dynamicRef": "#i", "$defs": {"x": {"$dynamicAnchor": "i", "type": "integer"}}},
    {"$ref": "#/properties/a", "properties": {"a": {"type": "object"}}},
    {"$defs": {"t": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#/$defs/t"}}]}},
     "$ref": "#/$defs/t"},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/c"}, "c": STR}},
    {"$ref": "#/allOf/1", "allOf": [{}, {"type": ["integer", "string"]}]},
]


def cases():
    for group in (TYPES, VALUES, NUMBERS, STRINGS, OBJECTS, ARRAYS, APPLICATORS, REFERENCES):
        for schema in group:
            yield schema, []
    yield from FORMATS


def pattern(validator, expression, instance, schema):
    """The keyword with ECMA-262's meaning of $ and of the classes."""
    if isinstance(instance, str):
        text = re.sub(r"(?<!\\)\$", r"\\Z", expression)
        if not re.search(text, instance, re.ASCII):
            yield jsonschema.ValidationError("no match")


def verdicts(schema, values):
    base = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    cls = validators.extend(base, {"pattern": pattern})
    check = cls(schema, format_checker=base.FORMAT_CHECKER)
    # The package's uri-reference allows a newline at the end.
    return "".join("-" if v == "\n" and "format" in json.dumps(schema) else "1" if check.is_valid(v) else "0"
                   for v in values)


def lines():
    yield json.dumps({"pool": POOL}, ensure_ascii=True)
    for schema, more in cases():
        if "\\p{" in json.dumps(schema):
            continue  # Python's expressions have no properties of characters
        case = {"schema": schema, "values": more, "valid": verdicts(schema, POOL + more)}
        yield json.dumps(case, ensure_ascii=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    text = "\n".join(lines()) + "\n"
    if parser.parse_args().check:
        with open(OUT, encoding="utf-8") as f:
            sys.exit("the file differs" if f.read() != text else 0)
    with open(OUT, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
