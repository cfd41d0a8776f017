# SPDX-License-Identifier: Apache-2.0
"""Trains the demo model's tokenizer: byte-level BPE with LFM2's pre-tokenizer and special tokens.

    python tokenizer.py --out DIR

It writes tokenizer.json, tokenizer_config.json and chat_template.jinja. The training text contains
only the first digit of each number, so no merge joins digits and every digit is one token. The
pre-tokenizer is LFM2's, unchanged.
"""

import argparse
import json
import os
import random
import re

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

import chat_format
import data

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# ids 0..13, as in LFM2
SPECIALS = [
    "<|pad|>",
    "<|startoftext|>",
    "<|endoftext|>",
    "<|fim_pre|>",
    "<|fim_mid|>",
    "<|fim_suf|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|tool_list_start|>",
    "<|tool_list_end|>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "<|tool_response_start|>",
    "<|tool_response_end|>",
]

# The chat template of the model's files: that of src/text/chat_format.c. It gives the same text as
# chat_format.render; check_template compares them.
CHAT_TEMPLATE = r'''
{%- macro text_of(content) -%}
    {%- if content is string -%}
        {{- content -}}
    {%- elif content is mapping -%}
        {{- content | tojson -}}
    {%- elif content -%}
        {%- for part in content -%}
            {{- part['text'] -}}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- macro calls_of(message, index) -%}
    {{- '<|tool_call_start|>[' -}}
    {%- for call in message['tool_calls'] -%}
        {%- set function = call['function'] or call -%}
        {%- set arguments = function['arguments'] or {} -%}
        {%- if arguments is not mapping -%}
            {{- raise_exception('message ' ~ index ~ ': the arguments of a call are not a JSON object') -}}
        {%- endif -%}
        {{- function['name'] + '(' -}}
        {%- for name, value in arguments.items() -%}
            {{- name + '=' + (value | tojson if value is iterable else value | string) + ('' if loop.last else ', ') -}}
        {%- endfor -%}
        {{- ')' + ('' if loop.last else ', ') -}}
    {%- endfor -%}
    {{- ']<|tool_call_end|>' -}}
{%- endmacro -%}
{{- bos_token or '<|startoftext|>' -}}
{%- set system = ['system', 'developer'] -%}
{%- set ns = namespace(system='', first=0) -%}
{%- if messages and messages[0]['role'] in system -%}
    {%- set ns.system = text_of(messages[0]['content']) -%}
    {%- set ns.first = 1 -%}
{%- endif -%}
{%- if tools -%}
    {%- set ns.system = ns.system + ('\n' if ns.system else '') + 'List of tools: <|tool_list_start|>[' -%}
    {%- for tool in tools -%}
        {%- set ns.system = ns.system + (tool if tool is string else tool | tojson) + ('' if loop.last else ', ') -%}
    {%- endfor -%}
    {%- set ns.system = ns.system + ']<|tool_list_end|>' -%}
{%- endif -%}
{%- if ns.system -%}
    {{- '<|im_start|>system\n' + ns.system + '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages[ns.first:] -%}
    {%- set role = message['role'] -%}
    {%- if role in system -%}
        {{- '<|im_start|>system\n' -}}
    {%- elif role in ['user', 'assistant', 'tool'] -%}
        {{- '<|im_start|>' + role + '\n' -}}
    {%- else -%}
        {{- raise_exception('message ' ~ (loop.index0 + ns.first) ~ ': role is \'' ~ role ~ '\'; allowed: system, developer, user, assistant, tool') -}}
    {%- endif -%}
    {{- '<|tool_response_start|>' if role == 'tool' else '' -}}
    {{- text_of(message['content']) -}}
    {{- '<|tool_response_end|>' if role == 'tool' else '' -}}
    {%- if role == 'assistant' and message['tool_calls'] -%}
        {{- calls_of(message, loop.index0 + ns.first) -}}
    {%- endif -%}
    {{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
'''.lstrip()


def corpus(n, seed):
    """Texts between special tokens, each number cut to its first digit."""
    r = random.Random(seed)
    special = re.compile("|".join(map(re.escape, SPECIALS)))
    for _ in range(n):
        for text in special.split(chat_format.render(data.training_chat(r))):
            if text:
                yield re.sub(r"\d+", lambda m: m.group()[0], text)


def train(vocab_size, n, seed):
    tok = Tokenizer(models.BPE(ignore_merges=False))
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        show_progress=False,
        max_token_length=12,
        special_tokens=[AddedToken(s, special=True, normalized=False) for s in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tok.train_from_iterator(corpus(n, seed), trainer)
    tok.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A",
        pair="<|startoftext|> $A <|startoftext|> $B",
        special_tokens=[("<|startoftext|>", 1)],
    )
    return tok


def check(tok):
    for i, s in enumerate(SPECIALS):
        assert tok.token_to_id(s) == i, s
    for c in pre_tokenizers.ByteLevel.alphabet():
        assert tok.token_to_id(c) is not None
    digits = [
        t for t in tok.get_vocab() if sum(c.isdigit() for c in t) > 1 and not t.startswith("<|")
    ]
    assert not digits, digits
    r = random.Random(7)
    for _ in range(300):
        text = chat_format.render(data.training_chat(r), bos=False)
        ids = tok.encode(text).ids
        assert ids[0] == 1 and tok.decode(ids[1:], skip_special_tokens=False) == text
    for text in ["Grüße, 東京 \U0001f600\t\r\n x", "a  b\n\n c", bytes(range(1, 128)).decode()]:
        assert tok.decode(tok.encode(text).ids) == text


def check_template():
    import jinja2

    env = jinja2.Environment()
    env.filters["tojson"] = chat_format.dumps
    template = env.from_string(CHAT_TEMPLATE)
    r = random.Random(3)
    for _ in range(500):
        chat = data.training_chat(r)
        for gen in (False, True):
            got = template.render(
                messages=chat.messages,
                tools=chat.tools,
                bos_token=chat_format.BOS,
                add_generation_prompt=gen,
            )
            assert got == chat_format.render(chat, generation_prompt=gen)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--out", required=True)
    p.add_argument("--vocab", type=int, default=2048)
    p.add_argument("--chats", type=int, default=60000)
    p.add_argument("--seed", type=int, default=11)
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    tok = train(a.vocab, a.chats, a.seed)
    check(tok)
    check_template()
    tok.save(os.path.join(a.out, "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[1],
        "eos_token": SPECIALS[7],
        "pad_token": SPECIALS[0],
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
        "chat_template": CHAT_TEMPLATE,
    }
    with open(os.path.join(a.out, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=1, ensure_ascii=False)
    with open(os.path.join(a.out, "chat_template.jinja"), "w", encoding="utf-8") as f:
        f.write(CHAT_TEMPLATE)
    r = random.Random(5)
    n = [
        len(tok.encode(chat_format.render(data.training_chat(r), bos=False)).ids)
        for _ in range(2000)
    ]
    print(
        f"{tok.get_vocab_size()} tokens; a chat has {sum(n) / len(n):.1f} tokens on average,"
        f" at most {max(n)}"
    )


if __name__ == "__main__":
    main()
