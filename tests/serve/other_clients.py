#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uses `lfm2 serve` with the official clients of Responses, Messages and Ollama, which validate the
types of all responses.

Needs the PyPI packages openai, anthropic, ollama, openresponses-types and pydantic: not part of the
tests of ctest. The server has the demo model.
  other_clients.py BASE_URL        for example http://127.0.0.1:8080
"""
import json
import sys

import anthropic
import httpx
import ollama
import openai
import openresponses_types.types as open_types
from pydantic import BaseModel

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
STRICT = {"api_key": "none", "_strict_response_validation": True, "max_retries": 0}
responses = openai.OpenAI(base_url=URL + "/v1", **STRICT)
messages = anthropic.Anthropic(base_url=URL, **STRICT)
chats = ollama.Client(host=URL)
MODEL = responses.models.list().data[0].id
QUESTION = "What is the weather in Paris?"
HELLO = [{"role": "user", "content": "Hello!"}]
ASK = [{"role": "user", "content": QUESTION}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"type": "function", "name": "get_weather", "description": "Weather of a city",
            "parameters": CITY}
TOOL = {"name": "get_weather", "description": "Weather of a city", "input_schema": CITY}
LONG = "x " * 5000
tests = []


class Person(BaseModel):
    name: str
    age: int


def test(function):
    tests.append(function)
    return function


def refused(kind, text, call):
    try:
        call()
    except kind as e:
        assert text in str(e), e
        return e
    raise AssertionError(f"accepted: {text}")


# ---- Responses ----

def respond(**arguments):
    return responses.responses.create(**{"model": MODEL, "input": "Hello!", "temperature": 0,
                                         "max_output_tokens": 40, **arguments})


@test
def responses_whole():
    r = respond()
    assert r.status == "completed" and r.output_text
    body = {"model": MODEL, "input": "Hello!", "max_output_tokens": 2}
    raw = httpx.post(URL + "/v1/responses", json=body).json()
    open_types.ResponseResource.model_validate(raw)
    assert raw["incomplete_details"] == {"reason": "max_output_tokens"}


@test
def responses_stream():
    text = respond().output_text
    with responses.responses.stream(model=MODEL, input="Hello!", temperature=0) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert final.output_text == text
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == text


@test
def responses_open_events():
    """Events as Open Responses defines them."""
    body = {"model": MODEL, "input": QUESTION, "tools": [FUNCTION], "stream": True,
            "temperature": 0}
    classes = {}
    for c in vars(open_types).values():
        if isinstance(c, type) and c.__name__.endswith("StreamingEvent"):
            kind = c.model_fields["type"].annotation
            classes[next(iter(kind)).value if hasattr(kind, "__members__") else c.__name__] = c
    seen = set()
    with httpx.stream("POST", URL + "/v1/responses", json=body, timeout=60) as r:
        for line in r.iter_lines():
            if line.startswith("data: {"):
                event = json.loads(line[6:])
                classes[event["type"]].model_validate(event)
                seen.add(event["type"])
    assert "response.function_call_arguments.done" in seen and "response.completed" in seen


@test
def responses_tools():
    first = respond(input=QUESTION, tools=[FUNCTION])
    call = first.output[0]
    assert call.type == "function_call" and json.loads(call.arguments) == {"city": "Paris"}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    whole = respond(input=ASK + first.output + [output], tools=[FUNCTION])
    chained = respond(previous_response_id=first.id, input=[output], tools=[FUNCTION])
    assert chained.output_text == whole.output_text
    assert whole.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens
    assert responses.responses.retrieve(first.id).output == first.output
    responses.responses.delete(first.id)
    refused(openai.NotFoundError, first.id, lambda: responses.responses.retrieve(first.id))


@test
def responses_parse():
    r = responses.responses.parse(model=MODEL, input="Ann is 5.", text_format=Person,
                                  max_output_tokens=200)
    assert r.status == "incomplete" or isinstance(r.output_parsed, Person)


@test
def responses_errors():
    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,x",
                                           "detail": "auto"}]}]
    bad = openai.BadRequestError
    assert refused(bad, "input_image", lambda: respond(input=image)).param == \
        "input[0].content[0].type"
    assert refused(bad, "2048", lambda: respond(input=LONG)).code == "context_length_exceeded"
    assert refused(bad, "", lambda: respond(previous_response_id="resp_no")).code == \
        "previous_response_not_found"


# ---- Messages ----

def send(**arguments):
    return messages.messages.create(**{"model": MODEL, "messages": HELLO, "max_tokens": 60,
                                       "extra_body": {"temperature": 0}, **arguments})


@test
def messages_whole_and_stream():
    text = send().content[0].text
    with messages.messages.stream(model=MODEL, messages=HELLO, max_tokens=60,
                                  extra_body={"temperature": 0}) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == text == final.content[0].text and final.stop_reason == "end_turn"
    assert send(max_tokens=2).stop_reason == "max_tokens"


@test
def messages_tools():
    first = send(messages=ASK, tools=[TOOL])
    call = first.content[0]
    assert first.stop_reason == "tool_use" and call.input == {"city": "Paris"}
    with messages.messages.stream(model=MODEL, messages=ASK, max_tokens=60, tools=[TOOL],
                                  extra_body={"temperature": 0}) as stream:
        assert stream.get_final_message().content[0].input == {"city": "Paris"}
    turn = ASK + [{"role": "assistant", "content": first.content},
                  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id,
                                                "content": [{"type": "text", "text": "sunny"}]}]}]
    usage = send(messages=turn, tools=[TOOL]).usage
    count = messages.messages.count_tokens(model=MODEL, messages=turn, tools=[TOOL])
    assert count.input_tokens == usage.input_tokens + usage.cache_read_input_tokens
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        assert send(tools=[TOOL], tool_choice=choice).stop_reason == "tool_use"
    assert send(messages=ASK, tools=[TOOL], tool_choice={"type": "none"}).content[0].type == "text"


@test
def messages_of_agents():
    """Fields that Claude Code sends."""
    m = messages.beta.messages.create(
        model=MODEL, max_tokens=20, messages=HELLO, betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        thinking={"type": "adaptive"}, metadata={"user_id": "x"}, output_config={"effort": "high"},
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}])
    assert m.content
    assert messages.beta.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0
    parsed = messages.messages.parse(model=MODEL, max_tokens=200, output_format=Person,
                                     messages=[{"role": "user", "content": "Ann is 5."}])
    assert parsed.stop_reason == "max_tokens" or isinstance(parsed.parsed_output, Person)


@test
def messages_errors():
    bad = anthropic.BadRequestError
    refused(bad, "prompt is too long: ", lambda: send(messages=[{"role": "user",
                                                                 "content": LONG}]))
    refused(bad, "messages must not be empty", lambda: send(messages=[]))
    refused(anthropic.NotFoundError, "not_found_error", lambda: send(model="other"))


# ---- Ollama ----

@test
def ollama_chat():
    options = {"num_predict": 60, "temperature": 0}
    whole = chats.chat(MODEL, HELLO, options=options)
    parts = list(chats.chat(MODEL, HELLO, options=options, stream=True))
    assert whole.message.content == "".join(p.message.content for p in parts)
    assert parts[-1].done and parts[-1].done_reason == "stop" and parts[-1].eval_count > 0
    assert chats.generate(MODEL, "Hello!", options=options).response == whole.message.content
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": CITY,
                                             "description": "Weather of a city"}}
    r = chats.chat(MODEL, ASK, tools=[tool], options=options)
    assert r.message.tool_calls[0].function.arguments == {"city": "Paris"}
    turn = ASK + [r.message, {"role": "tool", "tool_name": "get_weather", "content": "sunny"}]
    assert chats.chat(MODEL, turn, tools=[tool], options=options).message.content
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"],
              "additionalProperties": False}
    json.loads(chats.chat(MODEL, HELLO, format=schema).message.content)


@test
def ollama_model():
    assert chats.list().models[0].model == MODEL
    assert "tools" in chats.show(MODEL).capabilities
    assert chats.ps().models[0].context_length == 2048
    assert chats.chat(MODEL, []).done_reason == "load"
    image = [{"role": "user", "content": "x", "images": ["aGVsbG8="]}]
    refused(ollama.ResponseError, "images", lambda: chats.chat(MODEL, image))
    refused(ollama.ResponseError, "not found", lambda: chats.chat("other", HELLO))


failed = 0
for f in tests:
    try:
        f()
        print(f"ok   {f.__name__}")
    except Exception as e:  # pylint: disable=broad-except
        failed += 1
        print(f"FAIL {f.__name__}: {type(e).__name__}: {e}")
sys.exit(failed > 0)
