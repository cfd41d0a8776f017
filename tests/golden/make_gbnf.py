#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/gbnf.jsonl: grammars in GBNF, with texts that llguidance accepts or refuses.

    pip install llguidance==1.9.1
    tests/golden/make_gbnf.py
"""

import json
import pathlib

import llguidance
from llguidance.gbnf_to_lark import gbnf_to_lark

TARGET = pathlib.Path(__file__).parent / "text" / "gbnf.jsonl"

# Pairs of a grammar and candidate texts, of which some match.
CASES = [
    # Literals and escapes.
    ('root ::= "a"', ["", "a", "b", "aa"]),
    ('root ::= "one" " " "two"', ["one two", "onetwo", "one  two", "one"]),
    ('root ::= "tab\\t" "quote\\"" "back\\\\"', ['tab\tquote"back\\', "tab quote", 'tab\tquote"']),
    ('root ::= "line\\n" "\\r\\n"', ["line\n\r\n", "line\n\n", "line"]),
    ('root ::= "\\x41\\u0042\\U00000043"', ["ABC", "abc", "AB"]),
    ('root ::= "\\u00e9t\\u00e9"', ["\u00e9t\u00e9", "ete", "\u00e9t"]),
    ('root ::= "\u65e5\u672c"', ["\u65e5\u672c", "\u65e5", "\u672c"]),
    ('root ::= "\\U0001F600"+', ["\U0001f600", "\U0001f600\U0001f600", "\U0001f601"]),
    # Classes.
    ("root ::= [abc]", ["a", "c", "d", "ab"]),
    ("root ::= [a-z]", ["a", "m", "z", "A", "{"]),
    ("root ::= [^a-z]", ["A", "1", "\u00e9", "m", "\U0001f600"]),
    ("root ::= [a-cx-z0-9_]+", ["abc", "x9_", "m", "abcm"]),
    ("root ::= [^\\n]+", ["text", "a b", "a\nb", ""]),
    ("root ::= [\\x30-\\x39]+", ["0123", "9a", "a"]),
    ("root ::= [\\u0430-\\u044f]+", ["\u043f\u0440\u0438\u0432\u0435\u0442", "privet", "\u042f"]),
    ("root ::= [\u3041-\u309f]+", ["\u3042\u308a", "\u30a2", "a"]),
    ("root ::= [\\]\\[]+", ["[]", "]][", "a", "[a]"]),
    ("root ::= [a-]+", ["a-a", "-", "b"]),
    ('root ::= ["\\\\]+', ['"\\', '"', "'"]),
    ("root ::= [^\"\\\\]*", ["plain", 'with "quotes"', "back\\slash", ""]),
    ("root ::= .", ["a", "\u00e9", "\U0001f600", "ab"]),
    ('root ::= "<" . . ">"', ["<ab>", "<\u00e9\u00e8>", "<a>", "<abc>"]),
    # Repetitions.
    ('root ::= "a"*', ["", "a", "aaaa", "aab"]),
    ('root ::= "a"+', ["", "a", "aaaa", "b"]),
    ('root ::= "a"? "b"', ["b", "ab", "aab", "a"]),
    ('root ::= "ab"*', ["", "ab", "abab", "aba", "abb"]),
    ('root ::= "a"{3}', ["aa", "aaa", "aaaa"]),
    ('root ::= "a"{2,}', ["a", "aa", "aaaaaa"]),
    ('root ::= "a"{2,4}', ["a", "aa", "aaaa", "aaaaa"]),
    ('root ::= "a"{0,2} "b"', ["b", "ab", "aab", "aaab"]),
    ('root ::= ("a" | "b"){2} "c"', ["abc", "bbc", "ac", "abbc"]),
    ('root ::= ("a"{2}){3}', ["aaaaaa", "aaaa", "aaaaaaa"]),
    ('root ::= [0-9]{3} "-" [0-9]{4}', ["555-0199", "55-0199", "555-019", "5550199"]),
    ('root ::= ("x" "y"?)+', ["x", "xy", "xxyx", "yx", ""]),
    ('root ::= "a"{0} "b"', ["b", "ab"]),
    ('root ::= ([a-z]+ ("," [a-z]+)*)?', ["", "a", "a,b,c", "a,", ",a"]),
    # Alternatives and groups.
    ('root ::= "yes" | "no"', ["yes", "no", "maybe", "yesno"]),
    ('root ::= "a" ("b" | "c" "d")', ["ab", "acd", "ac", "ad"]),
    ('root ::= ("a" | "b") ("c" | "d") | "e"', ["ac", "bd", "e", "ae", "a"]),
    ('root ::= "a" | "a" "b" | "a" "b" "c"', ["a", "ab", "abc", "ac"]),
    ('root ::= "a" ( | "b")', ["a", "ab", "abb"]),
    ('root ::= (("a"))', ["a", "(a)"]),
    ('root ::= "x" |\n  "y"', ["x", "y", "xy"]),
    ('root ::= (\n  "x"\n  # between\n  "y"\n)\n', ["xy", "x", "y"]),
    # Rules.
    ('root ::= b a\na ::= "a"\nb ::= "b"', ["ba", "ab", "b"]),
    ('root ::= digit+\ndigit ::= [0-9]', ["0", "42", "4a", ""]),
    ('# first\nroot ::= word # trailing\n\n# between\nword ::= [a-z]+\n', ["word", "Word", ""]),
    ('root ::= a-b\na-b ::= c-1\nc-1 ::= "z"', ["z", "a"]),
    ('root ::= "(" root ")" | "x"', ["x", "(x)", "(((x)))", "((x)", "()"]),
    ('root ::= "a" root "b" | ""', ["", "ab", "aaabbb", "aab", "abb"]),
    ('root ::= "a" root | "b"', ["b", "ab", "aaaab", "a", "ba"]),
    ('root ::= item ("," item)*\nitem ::= [0-9]+ | "[" root "]"',
     ["1", "1,2", "[1,[2,3]],4", "[1", "1,", "[]"]),
    ('root ::= a\na ::= "x" b | "."\nb ::= "y" a', [".", "xy.", "xyxy.", "x.", "xy"]),
    ('root ::= expr\nexpr ::= term (("+" | "-") term)*\nterm ::= factor (("*" | "/") factor)*\n'
     'factor ::= [0-9]+ | "(" expr ")"',
     ["1", "1+2*3", "(1+2)*3", "((4))", "1+", "(1", "1**2", "()"]),
    # Larger ones.
    ('root ::= object\nvalue ::= object | array | string | number | "true" | "false" | "null"\n'
     'object ::= "{" ws (member ("," ws member)*)? "}" ws\nmember ::= string ":" ws value\n'
     'array ::= "[" ws (value ws ("," ws value ws)*)? "]" ws\n'
     'string ::= "\\"" ([^"\\\\\\x00-\\x1f] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\\""\n'
     'number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [+-]? [0-9]+)?\n'
     'ws ::= [ \\t\\n]*',
     ["{}", '{"a": 1}', '{"a":[1,-2.5e3,true,null,{"b":"\\u00e9\\n"}]}', '{"a":01}', '{"a":1,}',
      "[]", '{"a" 1}', '{"a": "x}', '{ }']),
    ('root ::= ("- " [^\\n]+ "\\n"){1,3}', ["- a\n", "- a\n- b\n", "- a\n- b\n- c\n- d\n", "- \n"]),
    ('root ::= move (" " move)*\nmove ::= [NBRQK]? [a-h]? [1-8]? "x"? [a-h] [1-8] [+#]? | "O-O" "-O"?',
     ["e4", "e4 Nf3 O-O", "Rxe4+ O-O-O", "e9", "O-O-O-O", "e4  e5"]),
    ('root ::= "<" name attr* ">" root* "</" name ">"\nname ::= [a-z]+\n'
     'attr ::= " " name "=\\"" [^"]* "\\""',
     ["<a></a>", '<p x="1" y=""><b></b></p>', "<a>", "<a></a", "<A></A>"]),
    ('root ::= year "-" month "-" day\nyear ::= [0-9]{4}\nmonth ::= "0" [1-9] | "1" [0-2]\n'
     'day ::= "0" [1-9] | [12] [0-9] | "3" [01]',
     ["2024-02-29", "1999-12-31", "2024-13-01", "2024-00-10", "24-01-01"]),
    ('root ::= ip\nip ::= octet ("." octet){3}\n'
     'octet ::= "25" [0-5] | "2" [0-4] [0-9] | "1" [0-9]{2} | [1-9]? [0-9]',
     ["127.0.0.1", "255.255.255.255", "256.1.1.1", "1.2.3", "01.2.3.4"]),
    ('root ::= "{\\"n\\": " [1-9] [0-9]{0,2} "}"', ['{"n": 7}', '{"n": 123}', '{"n": 1234}', '{"n":7}']),
]


def matches(grammar, text):
    tokenizer = llguidance.LLTokenizer("byte")
    matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar))
    if matcher.get_error():
        raise ValueError(matcher.get_error())
    ids = tokenizer.tokenize_str(text)
    return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()


def main():
    verdicts = 0
    with TARGET.open("w", encoding="utf-8") as out:
        for grammar, texts in CASES:
            try:
                lark = gbnf_to_lark(grammar)
                accepted = [text for text in texts if matches(lark, text)]
            except ValueError as error:
                print(f"left out: {grammar!r}: {str(error).splitlines()[0]}")
                continue
            refused = [text for text in texts if text not in accepted]
            verdicts += len(texts)
            line = {"g": grammar, "ok": accepted, "no": refused}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{len(CASES)} grammars, {verdicts} texts")


if __name__ == "__main__":
    main()
