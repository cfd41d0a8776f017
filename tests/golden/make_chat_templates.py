#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/text/chat_templates.jsonl: conversations that transformers renders with six
templates, which cover the variants of LFM2's format. Needs transformers 5 and tokenizers.

The first lines are {"name", "template"}. The others are cases: t = name of the template, m =
messages, o = tools or null, a = template arguments, g = generation prompt, x = the text or null if the
template refuses the conversation, h = FNV-1a hash of the ids in hexadecimal. Ids are those of
apply_chat_template, but control tokens in the input stay text.
"""
import datetime
import json
import os
import random
import re

import make_text as text

NOW = datetime.datetime(2026, 3, 7, 9, 5, 1)

# ---- Templates: a to f are sections that differ in tools, calls, reasoning and the prompt ----------

SYSTEM = """{{- bos_token -}}
{%- set ns = namespace(system="", last=-1) -%}
{%- macro plain(content) -%}
    {%- if content is string -%}{{- content -}}
    {%- elif content is defined -%}
        {%- for part in content -%}{{- part.text if part.type == "text" else part | tojson -}}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- set rest = messages -%}
{%- if messages[0].role in ["system", "developer"] -%}
    {%- set ns.system = plain(messages[0].content) -%}
    {%- set rest = messages[1:] -%}
{%- endif -%}
"""
LIST_MARKED = """{%- if tools -%}
    {%- set ns.system = ns.system + ("\\n" if ns.system) + "List of tools: <|tool_list_start|>[" -%}
    {%- for tool in tools -%}
        {%- set ns.system = ns.system + (tool | tojson) + (", " if not loop.last) -%}
    {%- endfor -%}
    {%- set ns.system = ns.system + "]<|tool_list_end|>" -%}
{%- endif -%}
"""
LIST_PLAIN = """{%- if tools -%}
    {%- set ns.system = ns.system ~ ("\\n" if ns.system else "") ~ "List of tools: [" -%}
    {%- for tool in tools -%}
        {%- set ns.system = ns.system ~ (tool if tool is string else tool | tojson) -%}
        {%- if not loop.last -%}{%- set ns.system = ns.system ~ ", " -%}{%- endif -%}
    {%- endfor -%}
    {%- set ns.system = ns.system ~ "]" -%}
{%- endif -%}
"""
LIST_DATED = """{%- if tools -%}
    {%- set ns.system = ns.system ~ ("\\n\\n" if ns.system else "") ~ "Today's date: "
        ~ strftime_now("%Y-%m-%d") ~ "\\n\\nList of tools: " ~ (tools | tojson) -%}
{%- endif -%}
"""
OPEN = """{%- if ns.system -%}{{- "<|im_start|>system\\n" + ns.system + "<|im_end|>\\n" -}}{%- endif -%}
{%- for message in rest -%}
    {%- if message.role == LAST -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for message in rest -%}
    {{- "<|im_start|>" + message.role + "\\n" -}}
"""
CLOSE = """    {{- "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\nPROMPT" -}}{%- endif -%}
"""
BODY_A = """    {%- set content = message["content"] -%}
    {%- if content is not string -%}{%- set content = content | tojson -%}{%- endif -%}
    {%- if message.role == "tool" -%}
        {%- set content = "<|tool_response_start|>" + content + "<|tool_response_end|>" -%}
    {%- endif -%}
    {{- content -}}
"""
BODY_B = """    {%- set content = message.content if message.content is string
        else message.content | tojson -%}
    {%- if message.role == "assistant" and loop.index0 != ns.last
        and not keep_past_thinking | default(false) and "</think>" in content -%}
        {%- set content = (content.split("</think>") | last).strip() -%}
    {%- endif -%}
    {{- content -}}
"""
BODY_CALLS = """    {%- set recent = preserve_thinking | default(false) or loop.index0 > ns.last -%}
    {%- set content = plain(message.content) -%}
    {%- if message.role == "assistant" -%}
        {%- set thinking = REASONING -%}
        {%- if thinking and recent -%}{{- "<think>" + thinking + "</think>" -}}{%- endif -%}
        {%- if not recent and "</think>" in content -%}
            {%- set content = content.split("</think>")[-1] | trim -%}
        {%- endif -%}
    {%- endif -%}
    {{- content -}}
    {%- if message.tool_calls -%}
        {{- "<|tool_call_start|>[" -}}
        {%- for call in message.tool_calls -%}
            {%- set function = call.function -%}
            {%- if function.arguments is string -%}
                {{- raise_exception("arguments are a string") -}}
            {%- endif -%}
            {{- function.name ~ "(" -}}
            {%- for name, value in function.arguments | items -%}
                {{- name ~ "=" ~ literal(value) ~ (", " if not loop.last else "") -}}
            {%- endfor -%}
            {{- ")" ~ (", " if not loop.last else "") -}}
        {%- endfor -%}
        {{- "]<|tool_call_end|>" -}}
    {%- endif -%}
"""
LITERAL = """{%- macro literal(value) -%}
    {%- if value is string -%}{{- STRING -}}
    {%- elif value is TYPES -%}{{- value | tojson -}}
    {%- else -%}{{- value | string -}}{%- endif -%}
{%- endmacro -%}
"""
QUOTED = '"\'" + value + "\'"'
ESCAPED = ('"\'" + value | replace("\\\\", "\\\\\\\\") | replace("\'", "\\\\\'") | '
           'replace("\\n", "\\\\n") + "\'"')


def calls(tools, string, types, reasoning, prompt):
    literal = LITERAL.replace("STRING", string).replace("TYPES", types)
    return (SYSTEM + literal + tools + OPEN.replace("LAST", '"user"') +
            BODY_CALLS.replace("REASONING", reasoning) + CLOSE.replace("PROMPT", prompt))


TEMPLATES = {
    "a": SYSTEM + LIST_MARKED + OPEN.replace("LAST", '"user"') + BODY_A +
         CLOSE.replace("PROMPT", ""),
    "b": SYSTEM + LIST_PLAIN + OPEN.replace("LAST", '"assistant"') + BODY_B +
         CLOSE.replace("PROMPT", ""),
    "c": calls(LIST_DATED, QUOTED, "mapping", "message.thinking", ""),
    "d": calls(LIST_PLAIN, QUOTED, "mapping", "message.thinking", ""),
    "e": calls(LIST_PLAIN, ESCAPED, "iterable",
               "message.thinking or message.reasoning or message.reasoning_content", "<think>"),
    "f": calls(LIST_DATED, "value | tojson", "mapping", "message.reasoning_content", ""),
}

# ---- Conversations ---------------------------------------------------------------------------------

def words(r):
    return "".join(text.atom(r) for _ in range(r.randint(0, 5)))


def content(r):
    kind = r.random()
    if kind < 0.12:
        return [{"type": "text", "text": words(r)} for _ in range(r.randint(0, 3))]
    return words(r)


def call(r):
    arguments = {words(r) or "x": r.choice([words(r), 3, -2.5, True, None, [1, words(r)],
                                            {words(r): words(r)}]) for _ in range(r.randint(0, 3))}
    if r.random() < 0.3:
        arguments = json.dumps(arguments, ensure_ascii=r.random() < 0.5)
    return {"id": words(r), "type": "function",
            "function": {"name": words(r), "arguments": arguments}}


def message(r, role):
    m = {"role": role, "content": content(r)}
    if role == "assistant":
        if r.random() < 0.3:
            m[r.choice(["reasoning_content", "thinking", "reasoning"])] = words(r)
        if r.random() < 0.3:
            m["content"] = "<think>%s</think> %s" % (words(r), words(r))
        if r.random() < 0.4:
            m["tool_calls"] = [call(r) for _ in range(r.randint(1, 2))]
            if r.random() < 0.5:
                m["content"] = r.choice([None, ""])
    if role == "tool":
        m["tool_call_id"] = words(r)
        m["name"] = words(r)
    return m


def conversation(r):
    roles = r.choice([[], ["system"], ["developer"]]) + ["user"]
    for _ in range(r.randint(0, 3)):
        roles += r.choice([["assistant", "user"], ["assistant", "tool"],
                           ["assistant", "tool", "assistant", "user"]])
    return [message(r, role) for role in roles]


# ---- The reference ---------------------------------------------------------------------------------

def parsed(messages):
    """Messages with arguments as objects, as servers give them to templates."""
    messages = json.loads(json.dumps(messages))
    for m in messages:
        for c in m.get("tool_calls", []):
            if isinstance(c["function"]["arguments"], str):
                c["function"]["arguments"] = json.loads(c["function"]["arguments"])
    return messages


def simple(messages):
    """Content as strings only."""
    out = []
    for m in messages:
        c = m.get("content")
        if isinstance(c, list):
            c = "".join(part["text"] for part in c)
        out.append({**m, "content": c or ""})
    return out


def render(tokenizer, name, messages, **options):
    for form in (lambda m: m, simple):
        try:
            return tokenizer.apply_chat_template(form(messages), chat_template=TEMPLATES[name],
                                                 tokenize=False, **options)
        except Exception:
            pass
    return None


def ids_of(ref, tokenizer, pattern, name, messages, tools, args, generation):
    rendered = render(tokenizer, name, text.hide(messages, pattern),
                      tools=text.hide(tools, pattern), add_generation_prompt=generation, **args)
    return text.marked_ids(ref, pattern, rendered)


def main():
    import transformers.utils.chat_template_utils as utils
    from transformers import PreTrainedTokenizerFast

    class Fixed(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW
    utils.datetime = Fixed
    ref = text.Reference()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=ref.apply, bos_token="<|startoftext|>",
                                        eos_token="<|im_end|>")
    pattern = re.compile("|".join(map(re.escape, text.NAMES)))
    r = random.Random(8)
    lines = [{"name": n, "template": t} for n, t in TEMPLATES.items()]
    for i in range(180):
        messages = conversation(r)
        tools = [text.tool(r) for _ in range(r.randint(0, 2))] if r.random() < 0.5 else None
        args = r.choice([{}, {}, {"preserve_thinking": True, "keep_past_thinking": True}])
        generation = r.random() < 0.6
        name = "abcdef"[i % 6]
        whole = parsed(messages)
        want = render(tokenizer, name, whole, tools=tools, add_generation_prompt=generation, **args)
        line = {"t": name, "m": messages, "o": tools, "a": args, "g": generation, "x": want}
        if want is not None:
            ids = ids_of(ref, tokenizer, pattern, name, whole, tools, args, generation)
            line["h"] = "%016x" % text.fnv(ids)
            if not pattern.search(json.dumps([messages, tools], ensure_ascii=False)):
                assert ids == ref.ids(want, True)
        lines.append(line)
    text.save("chat_templates.jsonl", "".join(json.dumps(
        line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines).encode())
    print("%d refused" % sum(line.get("x", "") is None for line in lines))


if __name__ == "__main__":
    main()
