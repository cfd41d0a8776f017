#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/parser_cases.jsonl: answers of models and the messages that they mean. Where
an answer's calls are valid Python, Python's own parser gives the arguments; the others are written here.

Each line is {"t": text, "x": message} and maybe "o": true (the prompt opened the reasoning), "tools", and
"text": true (as tokens, the text means something else).
"""
import ast
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
S, E = "<|tool_call_start|>", "<|tool_call_end|>"
cases = []


def block(inside):
    return S + inside + E


def message(content, calls, reasoning):
    out = {"role": "assistant", "content": content}
    if reasoning is not None:
        out["reasoning_content"] = reasoning
    if calls:
        out["tool_calls"] = [{"id": f"call_{i}", "type": "function",
                              "function": {"name": name, "arguments": arguments}}
                             for i, (name, arguments) in enumerate(calls)]
    return out


def add(text, content="", calls=(), reasoning=None, opened=False, tools=None, only_text=False):
    """`calls`: pairs of a name and arguments, which are an object or JSON text."""
    calls = [(n, a if isinstance(a, str) else json.dumps(a, ensure_ascii=False)) for n, a in calls]
    line = {"t": text, "x": message(content, calls, reasoning)}
    if opened:
        line["o"] = True
    if only_text:
        line["text"] = True
    if tools is not None:
        line["tools"] = tools
    cases.append(line)


def same(text, **more):
    """All of the text is content."""
    add(text, text, **more)


def plain(value):
    """A value as JSON has it."""
    if isinstance(value, dict):
        return {json.dumps(k) if not isinstance(k, str) else k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def name_of(node):
    return node.id if isinstance(node, ast.Name) else name_of(node.value) + "." + node.attr


def value_of(node):
    return eval(compile(ast.Expression(node), "case", "eval"), {"__builtins__": {}})


def python(source):
    """The calls of a Python list of calls, as Python reads it."""
    calls = ast.parse(source, mode="eval").body
    calls = calls.elts if isinstance(calls, ast.List) else [calls]
    return [(name_of(c.func), {k.arg: plain(value_of(k.value)) for k in c.keywords}) for c in calls]


def py(source, before="", after="", **more):
    add(before + block(source) + after, before + after, python(source), **more)


def tool(name, **types):
    properties = {k: {"type": v} for k, v in types.items()}
    return {"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": properties}}}


def valid_python():
    for source in [
        "[clock()]", "[clock( )]", "[lamp(on=True)]", "[lamp(on=False, level=3)]", "[lamp(scene=None)]",
        "[note(text='water the ferns')]", '[note(text="water the ferns")]', "[note(text='')]",
        "[note(text=\"Ann's list\")]", "[note(text='the \"blue\" one')]", "[note(text='Ann\\'s list')]",
        '[note(text="the \\"blue\\" one")]', "[note(text='a\\\\b')]", "[note(text='a\\nb\\tc\\r')]",
        "[note(text='\\x41\\u00e9\\U0001F600\\101\\0')]", "[note(text='back\\\\\\\\slash')]",
        "[note(text='one \\\ntwo')]", "[note(text='bell\\a page\\f up\\b tab\\v')]",
        "[note(text='''Ann's \"list\"\nof two''')]", '[note(text="""a "quoted" word""")]',
        "[note(text=r'\\d+\\.\\d')]", "[note(text=R\"\\n\")]", "[note(text=u'x')]", "[note(text=f'x')]",
        "[note(text=f'{{x}}')]", "[note(text='left ' 'right')]", "[note(text='left '\n \"right\")]",
        "[note(text=('left '\n 'right'))]", "[note(text='[x](y) {z}, a=b')]", "[note(text='), g(a=\"b\")]')]",
        "[note(text='日本語 – naïve 🌿')]", "[sum(a=1, b=-2, c=+3)]", "[sum(a=1.5, b=-0.25, c=2.0)]",
        "[sum(a=12345678901234567890123456789012345)]", "[sum(a=1_000_000)]", "[sum(a=0x1F, b=0o17, c=0b101)]",
        "[sum(a=0)]", "[sum(items=[1, 2, 3])]", "[sum(items=[])]", "[sum(items=[1, [2, [3, []]]])]",
        "[sum(items=(1, 2))]", "[sum(items=(1,))]", "[sum(items=())]", "[sum(items=[1, 2,],)]",
        "[place(at=(1))]", "[place(at=((1), [(2)]))]", "[place(at=(('x')))]",
        "[store(item={})]", "[store(item={'a': 1, 'b': [True, None], 'c': {'d': 'e'}})]",
        "[store(item={'a': {'b': {'c': {'d': []}}}})]", "[store(item={1: 'x', 2: 'y'})]",
        "[store(item={'k': (1, 2), })]", "[store(items=[{'n': 'x'}, {'n': 'y'}])]",
        "[store(item={'with space': 1, 'a\"b': 2, \"a'b\": 3})]", "[a(x=1), b(y='2'), c()]", "[a(x=1),b(y='2')]",
        "[a(x=1), a(x=2), a(x=2),]", "[ a ( x = 1 , y = 'z' ) ]", "[\n  a(\n    x=1,\n    y=[\n      2\n    ]\n  )\n]",
        "[a.b(x=1)]", "[a.b.c_d(x=1)]", "[_a1(_x=1)]", "[函数(参数='值')]", "a(x=1)", "a.b(x='[')", "[a(x='a, b=\"c\"')]",
        "[a(x='\\'\\'')]", "[a(x='\\\\')]", "[a(x='\\\\', y='\\\\\\'')]", "[a(x={'k': 'v)]'}, y=\"]\")]",
        "[a(x='100%', y='#hash', z='a;b')]", "[a(code='def f(x):\\n    return [x, \\'y\\']\\n')]",
    ]:
        py(source)


def around():
    clock = "[clock()]"
    py(clock, before="Let me look.")
    py(clock, before="Let me look.\n\n")
    py(clock, after="One moment.")
    py(clock, after="\n\nOne moment.\n")
    py(clock, before="a < b <", after="> c")
    py(clock, before="é ", after=" 🌿")
    add(block(clock) + block("[lamp(on=True)]"), "", [("clock", {}), ("lamp", {"on": True})])
    add("A " + block(clock) + " B " + block("[lamp(on=True)]") + " C", "A  B  C",
        [("clock", {}), ("lamp", {"on": True})])
    add(S + "\n " + clock + " \n" + E, "", [("clock", {})])
    add(S + clock, "", [("clock", {})])
    add(S + "[clock()", "", [("clock", {})])
    add(S + "clock()", "", [("clock", {})])
    add(S + clock + S + clock + E, "", [("clock", {}), ("clock", {})])
    add(block("clock(), lamp(on=True)"), "", [("clock", {}), ("lamp", {"on": True})])
    add(block("clock()\nlamp(on=True)"), "", [("clock", {}), ("lamp", {"on": True})])
    add(block("[clock()][lamp(on=True)]"), "", [("clock", {}), ("lamp", {"on": True})])
    add(block("[clock() lamp(on=True)]"), "", [("clock", {}), ("lamp", {"on": True})])
    add(block(clock) + "<|im_end|>", "", [("clock", {})])
    add(block(clock) + "<|im_end|>\n", "", [("clock", {})])
    add(block(clock) + "\n<|im_end|><|endoftext|>", "\n", [("clock", {})])
    add("Done.<|im_end|>", "Done.")
    same("Done.<|im_end|> more")
    same("A <|im_start|> token")
    add(block("[a-b.c-d(x=1)]"), "", [("a-b.c-d", {"x": 1})])
    add(block("[a/b(x=1)]"), "", [("a/b", {"x": 1})])
    add(block("[3d_view(x=1)]"), "", [("3d_view", {"x": 1})])
    add(block(f"[f(x='a {E} b', y=1)]"), "", [("f", {"x": f"a {E} b", "y": 1})], only_text=True)
    for text in ["[f(x='a')] ", "[f(x='a')]\n", "[f(x='a')\n]\n\n", "f(x=\"a\")\n", "[f(x='a') ] ", " [ f( x='a' ) ] "]:
        add(block(text), "", [("f", {"x": "a"})])
        add("Yes." + block(text) + block(text) + " ok", "Yes. ok", [("f", {"x": "a"})] * 2)
    same(block("[f(x='a)] "))
    for text in ["<|im_end|>", "a <|im_end|> b", "<|im_end|>\n<|im_start|>user\n", "a <|endoftext|>"]:
        add(block(f"[f(x='{text}', y=1)]"), "", [("f", {"x": text, "y": 1})], only_text=True)
    for end in ["<|im_end|>", "<|im_end|> \n"]:
        add(S + "[f(x='a" + end, S + "[f(x='a")
        add(S + "[f(x='a')]" + end, "", [("f", {"x": "a"})])
    same(S + "[f(x='a<|im_end|> b")
    add(block(f"[f(x='{E}')]") + "c", "c", [("f", {"x": E})], only_text=True)
    add(block("[f(x='y)]") + block("[g()]"), block("[f(x='y)]"), [("g", {})])
    add(S + "[f(x='y" + block("[g()]"), S + "[f(x='y", [("g", {})])
    for word in ["from", "class", "in", "is", "lambda", "not", "None", "True", "import", "with-dash", "a.b"]:
        add(block(f"[mail({word}='x', to=1)]"), "", [("mail", {word: "x", "to": 1})])


def not_python():
    add(block("[date(day=07, month=005, year=0)]"), "", [("date", {"day": 7, "month": 5, "year": 0})])
    add(block("[date(day=-07, zero=000)]"), "", [("date", {"day": -7, "zero": 0})])
    add(block("[lamp(on=true, off=false, scene=null)]"), "", [("lamp", {"on": True, "off": False, "scene": None})])
    add(block('[store(item={"on": true, "x": [null, False]})]'), "",
        [("store", {"item": {"on": True, "x": [None, False]}})])
    add(block("[store(item={'a', 'b', 3})]"), "", [("store", {"item": ["a", "b", 3]})])
    add(block("[store(item={'a'})]"), "", [("store", {"item": ["a"]})])
    add(block("[store(item={(1, 2), (3,)})]"), "", [("store", {"item": [[1, 2], [3]]})])
    add(block("[store(item={True: 1, None: 2, 3.50: 4})]"), "",
        [("store", '{"item": {"true": 1, "null": 2, "3.50": 4}}')])
    for source, digits in [("0.10", "0.10"), ("1e5", "1e5"), ("1E-7", "1E-7"), (".5", "0.5"), ("5.", "5.0"), ("-.5", "-0.5"),
                           ("1.e3", "1.0e3"), ("3.141592653589793238462643", "3.141592653589793238462643"), ("-0", "-0"),
                           ("00.5", "0.5"), ("1e308", "1e308"), ("1e-999", "1e-999"), ("+1.0", "1.0"), ("9" * 320, "9" * 320)]:
        add(block(f"[sum(a={source})]"), "", [("sum", '{"a": ' + digits + "}")])
    for source, value in [("**{'a': 1}", {"a": 1}), ("**{}", {}), ("b=2, ** {'a': [1], 'c': {}}, d=4", {"b": 2, "a": [1], "c": {}, "d": 4}),
                          ("**{'a': 'x'}, **{'b': 'it's'}", {"a": "x", "b": "it's"}), ("x='y', **{'a': 1}", {"x": "y", "a": 1})]:
        add(block(f"[f({source})]"), "", [("f", value)])
    add(block("[note(text='one\ntwo\r\n\tthree')]"), "", [("note", {"text": "one\ntwo\r\n\tthree"})])
    add(block("[note(text='a\x00b\x07')]"), "", [("note", {"text": "a\x00b\x07"})])
    add(block("[note(text='\\d+ \\/ \\q')]"), "", [("note", {"text": "\\d+ \\/ \\q"})])
    add(block("[note(text='\\ud83d\\ude00 \\ud83d \\ude00')]"), "", [("note", '{"text": "😀 � �"}')])
    add(block("[note(text='\\u12 \\xZ \\U00110000')]"), "", [("note", {"text": "\\u12 \\xZ \\U00110000"})])
    add(block("[note(text='a\\nb')]".replace("\\n", "\\\\n")), "", [("note", {"text": "a\\nb"})])


def quotes():
    for inside in ["it's late", "rock 'n' roll", "grep -n 'a, b' x", "awk '{print $1}' f", "he said 'yes', then left",
                   "echo 'x) y'", "f('x')", "the dogs' bowl", "'quoted'", "a 'b' c 'd'", "print('x', 1)", "x = ['a', 'b']",
                   "can't won't", "SELECT 'a' FROM t WHERE b = 'c'"]:
        add(block(f"[run(cmd='{inside}')]"), "", [("run", {"cmd": inside})])
        inside = inside.replace("'", '"')
        add(block(f'[run(cmd="{inside}", n=1)]'), "", [("run", {"cmd": inside, "n": 1})])
    for inside in ["print('a')\nprint('b')", "print('a'); print('b')", "f('a'), g('b')", "f('a')-g('b')", "x = f('a')\ny()\ng('b')",
                   "x = f('a') or g(b='c')"]:
        add(block(f"[run(cmd='{inside}')]"), "", [("run", {"cmd": inside})])
    add(block("[run(cmd='print('a')\nprint('b')', n=1), clock()]"), "", [("run", {"cmd": "print('a')\nprint('b')", "n": 1}), ("clock", {})])
    for quote in ['"""', "'''"]:
        for inside in [f"def f():\n    {quote}Gives 1.{quote}\n    return 1\n", f"{quote}a{quote} b", f"x = {quote}y, z='1'{quote}\n"]:
            add(block(f"[run(cmd={quote}{inside}{quote}, n=1)]"), "", [("run", {"cmd": inside, "n": 1})])
    py("[run(cmd='''a''' 'b' \"\"\"c\"\"\")]")
    add(block("[run(cmd='x') run(cmd='y')]"), "", [("run", {"cmd": "x"}), ("run", {"cmd": "y"})])
    add(block("[run(cmd='x'), f(1)]"), "f(1)", [("run", {"cmd": "x"})])
    add(block("[run(cmd='it's', n=2), run(cmd='x')]"), "", [("run", {"cmd": "it's", "n": 2}), ("run", {"cmd": "x"})])
    add(block("[run(items=['it's', 'ok'])]"), "", [("run", {"items": ["it's", "ok"]})])
    add(block("[run(item={'a': 'it's', 'b': 'ok'})]"), "", [("run", {"item": {"a": "it's", "b": "ok"}})])
    add(block("[run(cmd='open 'x)]") + ".", block("[run(cmd='open 'x)]") + ".")
    same(block("[run(cmd='echo 'x', n=1)]"))
    add(block("[clock(), run(cmd='echo 'x', n=1)]"), "run(cmd='echo 'x', n=1)", [("clock", {})])
    add(block("[run(cmd='say 'x'), run(cmd='say 'y')]"), "", [("run", {"cmd": "say 'x"}), ("run", {"cmd": "say 'y"})])


def no_calls():
    for inside in ["", " ", "[]", "[ ]", "[,]", "nothing", "[nothing]", "[1, 2]", "['clock()']", "[f(1)]", "[f('x')]", "[f(x)]",
                   "[f(x=)]", "[f(x=1 2)]", "[f(x=y)]", "[f(x=b'y')]", "[f(x=y())]", "[f(x=1+2)]", "[f(x=[1)]", "[f(x={'a')]",
                   "[f(x={'a': 1, 'b'})]", "[f(x={[1]: 2})]", "[f(x=nan)]", "[f(x=inf)]", "[f(x=-Infinity)]", "[f(x=NaN)]",
                   "[f(x=1e999)]", "[f(x=float('nan'))]", "[f(x=f'{y}')]", "[f(x='a' % 2)]", "[f(*x)]", "[f(**x)]", "[f(**[1])]", "[f(*{'a': 1})]", "[f(**{'a'})]", "[f(**{'a': 1}, a=1)]", "[f(**", "[f(x=1, x=2)]",
                   "[f(x={'a': 1, 'a': 2})]", "[f(x=1", "[f(x='", "[f(x='y\\", "(x=1)", "[f", "[f(", "[f(x", "[f(x=", "[f(x='''y')]",
                   "[f(x=1j)]", "[f(x=0x)]", "[f(x=1.2.3)]", "[f(x=--1)]", "[f(x=...)]", "{}", "{'a': 1}", '{"name": 3}', '{"name": ""}',
                   '{"name": "f", "arguments": 3}', '{"name": "f", "arguments": nan}', '{"name": "f", "arguments": [1]}', '{"name": "f", "arguments": "x"}',
                   '{"name": "f", "name": "g"}', '{"name": "f", "arguments": {"a": 1, "a": 2}}', '{"arguments": {}}', '{"name": "f"',
                   '{"name": "f\\n", "arguments": {}}', '{"name": "f", "arguments": {"a": NaN}}', '"f(x=1)"', "def f(x=1): pass"]:
        same(block(inside))
        same("Before " + S + inside)
    same("x " + E + " y")
    same("<|tool_call_start")
    same("x <|tool_call_start|")
    same("</think>")
    same("a </think> b")
    same("")
    same(" \n ")
    same("An <html> tag, a <thinking> tag, a < b, <|x|>.")
    same("[link](https://example.org) and [f](x=1)")
    same("f(x=1) is a call in Python")
    same("[f(x=1)]")
    same("text [f(x=1)] text")


def siblings():
    clock = ("clock", {})
    for bad in ["f(1)", "f(x=b'y')", "f(x=[1, b'y', {'a': (2, 'z, clock()')}])", "f(x=nan)", "just words", "f(x={'a': 1, 'a': 2})",
                '{"name": "f", "arguments": [1, 2]}', "f(x='a' + 'b, c')", "[f(x=1)]",
                "f(1, 'x), clock()')", 'f(1, "x\\"), clock()")', "f(1, {'x': ')'})"]:
        add(block(f"[clock(), {bad}]"), bad, [clock])
        add(block(f"[{bad}, clock()]"), bad, [clock])
        add("A" + block(f"[clock(), {bad} , clock()]") + "B", f"A{bad}B", [clock, clock])
    add(block("[clock()] because it is late"), "because it is late", [clock])
    add(block("I call [clock()]"), "I call", [clock])
    for sign in [".", "+", "-", "*", "/", "|", "!"]:
        add(block(f"[clock(){sign}g(x=1)]"), f"{sign}g(x=1)", [clock])
        add(block(f"[{sign}g(x=1), clock()]"), f"{sign}g(x=1)", [clock])
    add(S + "[clock(), f(x=", "f(x=", [clock])
    add(S + "[clock()]\nThe time is", "The time is", [clock])


def as_json():
    one = '{"name": "f", "arguments": {"a": 1, "b": "x"}}'
    call = ("f", {"a": 1, "b": "x"})
    for inside in [one, f"[{one}]", f"[ {one} ]", one.replace("arguments", "parameters"), one.replace('"', "'"),
                   '{"arguments": {"a": 1, "b": "x"}, "name": "f"}', '{"id": "c1", "type": "function", "name": "f", "arguments": {"a": 1, "b": "x"}}',
                   f'{{"type": "function", "function": {one}}}', '{"function": "f", "arguments": {"a": 1, "b": "x"}}',
                   '{"name":"f","arguments":{"a":1,"b":"x"}}', '{\n  "name": "f",\n  "arguments": {\n    "a": 1,\n    "b": "x"\n  }\n}',
                   '{"note": {"why": ["x", 1.5, null]}, "name": "f", "arguments": {"a": 1, "b": "x"}, "z": "y"}',
                   '{"name": "f", "arguments": "{\\"a\\": 1, \\"b\\": \\"x\\"}"}']:
        add(block(inside), "", [call])
    add(block(f"[{one}, {one}]"), "", [call, call])
    add(block(f"{one}\n{one}"), "", [call, call])
    add(block(f"[{one}, clock()]"), "", [call, ("clock", {})])
    add(block('{"name": "f"}'), "", [("f", {})])
    add(block('{"name": "f", "arguments": {}}'), "", [("f", {})])
    add(block('{"name": "f", "arguments": null}'), "", [("f", {})])
    add(block("[{'arguments': None, 'name': 'f'}, clock()]"), "", [("f", {}), ("clock", {})])
    add(block('{"name": "f", "arguments": "{}"}'), "", [("f", {})])
    add(block('{"name": "naïve.名", "arguments": {"ключ": "значение"}}'), "", [("naïve.名", {"ключ": "значение"})])
    add(block('{"name": "f", "arguments": {"a": "\\/\\u00e9\\ud83d\\ude00\\"\\\\"}}'), "", [("f", {"a": '/é😀"\\'})])
    add(block('{"name": "f", "arguments": {"a": 1.50, "b": -2e3, "c": 0.1e-2}}'), "", [("f", '{"a": 1.50, "b": -2e3, "c": 0.1e-2}')])
    add(block('{"name": "f", "arguments": {"a": True, "b": None, "c": (1, 2), "d": 007}}'), "", [("f", {"a": True, "b": None, "c": [1, 2], "d": 7})])
    add(block('{"name": "f", "arguments": {"a": "say "hi" now"}}'), "", [("f", {"a": 'say "hi" now'})])
    add(block('{"name": "f", "arguments": {"a": {"b": [{"c": []}, {}]}}}'), "", [("f", {"a": {"b": [{"c": []}, {}]}})])


def bare():
    tools = [tool("f", a="string", b="integer"), tool("g")]
    one = '{"name": "f", "arguments": {"b": 2}}'
    call = ("f", {"b": 2})
    for text in [one, f"[{one}]", f"{one}\n", "[f(b=2)]", "f(b=2)", "\n[f(b=2)]\n", "[f(b=2)]<|im_end|>"]:
        content = "\n" if text.startswith("\n") else ""
        add(text, content, [call], tools=tools)
        add("<think>hm</think>" + text, content, [call], reasoning="hm", tools=tools)
        add("hm</think>" + text, content, [call], reasoning="hm", opened=True, tools=tools)
    add("I will.\n[f(b=2), g()]", "I will.\n", [call, ("g", {})], tools=tools)
    for text in ["[f(b=2)]\n[g()]", "[f(b=2)][g()]", f"[{one}]\n\n[g()]\n", f"[f(b=2)] [g()]{E}"]:
        add(text, "", [call, ("g", {})], tools=tools)
        add("<think>hm</think>" + text, "", [call, ("g", {})], reasoning="hm")
    for text in ["[f(b=2)] [g()] Done.", "[f(b=2)]\n[1]", "[f(b=2)], [g()]", "[f(b=2)]\n[h()]"]:
        same(text, tools=tools)
    for text in ["I will: [f(b=2)]", "[f(b=2)] Done.", "[h(b=2)]", "h(b=2)", '{"name": "h", "arguments": {}}', '{"name": "f"}',
                 '{"name": "f", "arguments": {}} Done.', '{"name": "f", "b": 2}', "f(b=2) is it", "[f(b=2), h()]", "[f(2)]", "f (b=2)"]:
        same(text, tools=tools)
    same("[f(b=2)]", tools=[])
    same(one)
    same('{"a": [1, 2, {"name": "f"}]}')
    add("<think>hm</think>" + one, "", [call], reasoning="hm")
    add("<think>hm</think>\n\n" + one, "\n\n", [call], reasoning="hm")
    add("<think>hm</think>[f(b=2)]", "", [call], reasoning="hm")
    add("<think>hm</think>f(b=2)", "f(b=2)", reasoning="hm")
    add("<think>hm</think>" + one + " So.", one + " So.", reasoning="hm")
    for tail in ["", "\n", " \n"]:
        add(f"[f(b=2)]{tail}{E}", "", [call])
        add(f"{one}{tail}{E}", "", [call])
    add(f"f(b=2){E}", "", [call])
    add(f"First.\n[f(b=2)]{E}Then.", "First.\nThen.", [call])
    add(f"First: [f(b=2)]{E}", "First: ", [call])
    same(f"First: f(b=2){E}")
    same(f"[f(2)]{E}")
    add(block("[f(b=2)]") + f"[f(b=2)]{E}", f"[f(b=2)]{E}", [call])
    add(block("[f(b=2)]") + "\n[f(b=2)]\n", "\n[f(b=2)]\n", [call], tools=tools)
    add(block("[f(b=2)]") + "\n[f(b=3)]", "\n", [call, ("f", {"b": 3})], tools=tools)
    add(block("[f(b=2)]") + f"\n[g()]{E}", "\n", [call, ("g", {})])


def typed():
    tools = [tool("f", a="string", b="integer", c=["string", "null"], d=["string", "number"])]
    for source, value in [("a=02134", "02134"), ("a=1.0", "1.0"), ("a=celsius", "celsius"), ("a=2026-03-07", "2026-03-07"),
                          ("a='5'", "5"), ("c=7", "7")]:
        add(block(f"[f({source})]"), "", [("f", {source[0]: value})], tools=tools)
    for source, value in [("b=007", 7), ("b='5'", "5"), ("a=None", None), ("a=True", True), ("d=7", 7), ("e=7", 7), ("a=[7]", [7])]:
        add(block(f"[f({source})]"), "", [("f", {source[0]: value})], tools=tools)
    same(block("[f(b=celsius)]"), tools=tools)
    same(block("[f(a=two words)]"), tools=tools)
    add(block("[h(a=7)]"), "", [("h", {"a": 7})], tools=tools)
    add(block("[f(a=x7)]"), "", [("f", {"a": "x7"})], tools=[tools[0]["function"]])


def reasoning():
    call = block("[clock()]")
    for text, inside in [("", ""), ("why", "why"), ("\nwhy\n", "\nwhy\n"), (call, call), ("a <think> b", "a <think> b"),
                         ('{"name": "f", "arguments": {}}', '{"name": "f", "arguments": {}}'), ("[f(x=1)]", "[f(x=1)]"), ("a < b </thin", "a < b </thin")]:
        add(f"<think>{text}</think>Yes.", "Yes.", reasoning=inside)
        add(f"{text}</think>Yes.", "Yes.", reasoning=inside, opened=True)
        add(f"<think>{text}</think>{call}", "", [("clock", {})], reasoning=inside)
        add(f"<think>{text}", "", reasoning=inside)
    add("<think>why</think>\n\nYes.", "\n\nYes.", reasoning="why")
    add(" \n<think>why</think>Yes.", " \nYes.", reasoning="why")
    add("<think>why</think>", "", reasoning="why")
    add("<think>why</think> ", " ", reasoning="why")
    add("<think>a</think>b</think>c", "b</think>c", reasoning="a")
    add("<think>a</think><think>b</think>c", "c", reasoning="ab")
    add("<think>a</think>" + call + "<think>b</think>c", "c", [("clock", {})], reasoning="ab")
    add("Well.\n<think>a</think>c", "Well.\nc", reasoning="a")
    same("Write <think> to think.")
    add("<think>why</think>Yes.", "Yes.", reasoning="why", opened=True)
    add("\n<think>\nwhy</think>Yes.", "Yes.", reasoning="\n\nwhy", opened=True)
    add("why <think> so</think>Yes.", "Yes.", reasoning="why <think> so", opened=True)
    add("<think><think>why</think>Yes.", "Yes.", reasoning="<think>why")
    add("why", "", reasoning="why", opened=True)
    add("why<|im_end|>", "", reasoning="why", opened=True)
    add("why <|im_end|> more</think>x", "x", reasoning="why <|im_end|> more", opened=True)
    add("", "", reasoning="", opened=True)


def main():
    for part in [valid_python, around, not_python, quotes, no_calls, siblings, as_json, bare, typed, reasoning]:
        part()
    texts = [json.dumps(line, sort_keys=True) for line in cases]
    assert len(texts) == len(set(texts)), [t for t in texts if texts.count(t) > 1]
    path = os.path.join(HERE, "text", "parser_cases.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        for line in cases:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
