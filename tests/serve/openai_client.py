#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uses `lfm2 serve` with the official client, which validates the types of all responses.

Needs the PyPI packages openai and pydantic: not part of the tests of ctest.
  openai_client.py BASE_URL        for example http://127.0.0.1:8080/v1
"""
import json
import sys

import openai
from pydantic import BaseModel

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080/v1"
client = openai.OpenAI(base_url=URL, api_key="none", _strict_response_validation=True, max_retries=0)
MODEL = client.models.list().data[0].id
HELLO = [{"role": "user", "content": "Hello!"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                   "required": ["city"]}}}]
tests = []


def test(function):
    tests.append(function)
    return function


def chat(**arguments):
    return client.chat.completions.create(**{"model": MODEL, "messages": HELLO, "max_tokens": 12,
                                             "temperature": 0, **arguments})


@test
def models():
    assert client.models.retrieve(MODEL).id == MODEL
    try:
        client.models.retrieve("other")
        raise AssertionError("another model")
    except openai.NotFoundError as e:
        assert e.code == "model_not_found"


@test
def whole():
    r = chat()
    assert r.choices[0].message.content and r.choices[0].finish_reason in ("stop", "length")
    assert r.usage.total_tokens == r.usage.prompt_tokens + r.usage.completion_tokens
    assert r.usage.prompt_tokens_details.cached_tokens >= 0


@test
def stream():
    text = chat().choices[0].message.content
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert not chunks[-1].choices and chunks[-1].usage.completion_tokens > 0
    assert all(c.usage is None for c in chunks[:-1])


@test
def tools():
    for choice in ("auto", "required", {"type": "function", "function": {"name": "get_weather"}}):
        r = chat(messages=WEATHER, tools=TOOLS, tool_choice=choice, max_tokens=100)
        call = r.choices[0].message.tool_calls[0]
        assert r.choices[0].finish_reason == "tool_calls" and call.function.name == "get_weather"
        assert "city" in json.loads(call.function.arguments)
    assert not chat(messages=WEATHER, tools=TOOLS,
                    tool_choice="none").choices[0].message.tool_calls


@test
def tool_stream():
    name = arguments = call_id = ""
    for c in chat(messages=WEATHER, tools=TOOLS, stream=True, logprobs=True, top_logprobs=2):
        for call in c.choices[0].delta.tool_calls or []:
            call_id += call.id or ""
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert name == "get_weather" and call_id and "city" in json.loads(arguments)


@test
def tool_turns():
    messages = list(WEATHER)
    for i in range(3):
        r = chat(messages=messages, tools=TOOLS, tool_choice="required", max_tokens=100)
        message = r.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        messages += [{"role": "tool", "tool_call_id": c.id, "content": "sunny"}
                     for c in message.tool_calls]
        if i > 0:
            assert r.usage.prompt_tokens_details.cached_tokens >= 0.8 * r.usage.prompt_tokens


@test
def helper_stream():
    with client.chat.completions.stream(model=MODEL, messages=WEATHER, tools=TOOLS,
                                        temperature=0, max_tokens=100) as events:
        kinds = {e.type for e in events}
        final = events.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds, kinds
    assert final.choices[0].message.tool_calls[0].function.name == "get_weather"


class Event(BaseModel):
    sure: bool
    kind: int | None
    inner: list[bool]


@test
def parse():
    for seed in range(5):
        try:
            r = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Event,
                                              max_tokens=200, temperature=1, seed=seed)
        except openai.LengthFinishReasonError:
            continue
        assert isinstance(r.choices[0].message.parsed, Event)


@test
def parse_tool():
    class get_weather(BaseModel):
        days: bool
    r = client.chat.completions.parse(
        model=MODEL, messages=WEATHER, tools=[openai.pydantic_function_tool(get_weather)],
        tool_choice="required", parallel_tool_calls=False, max_tokens=100)
    assert isinstance(r.choices[0].message.tool_calls[0].function.parsed_arguments.days, bool)


@test
def formats():
    r = chat(response_format={"type": "json_object"}, max_tokens=200, temperature=1, seed=1)
    if r.choices[0].finish_reason == "stop":
        json.loads(r.choices[0].message.content)
    try:
        chat(response_format={"type": "json_schema", "json_schema": {
            "name": "x", "strict": True, "schema": {"type": "string", "pattern": "(?=x)"}}})
        raise AssertionError("an unsupported schema")
    except openai.BadRequestError as e:
        assert e.param == "response_format.json_schema.schema"


@test
def logprobs():
    r = chat(logprobs=True, top_logprobs=5)
    content = r.choices[0].logprobs.content
    assert len(content) == r.usage.completion_tokens
    assert all(len(t.top_logprobs) == 5 and t.logprob <= 0 for t in content)
    streamed = [t for c in chat(logprobs=True, top_logprobs=5, stream=True) if c.choices[0].logprobs
                for t in c.choices[0].logprobs.content]
    assert [t.token for t in streamed] == [t.token for t in content]


@test
def sampling():
    r = chat(n=3, temperature=1.3, seed=7)
    assert [c.index for c in r.choices] == [0, 1, 2]
    same = chat(n=3, temperature=1.3, seed=7)
    assert [c.message.content for c in same.choices] == [c.message.content for c in r.choices]
    chat(stop=["a", "b"], logit_bias={"5": -100}, presence_penalty=0.5, frequency_penalty=0.5,
         top_p=0.9, user="me", metadata={"a": "b"}, store=False, service_tier="auto",
         prediction={"type": "content", "content": "Hello!"}, reasoning_effort="low",
         max_completion_tokens=5, extra_body={"min_p": 0.1, "top_k": 20})


@test
def completions():
    r = client.completions.create(model=MODEL, prompt=["The sea", "Hello"], max_tokens=5, n=2,
                                  logprobs=2, seed=1)
    assert [c.index for c in r.choices] == [0, 1, 2, 3]
    r = client.completions.create(model=MODEL, prompt=[1, 5, 6], max_tokens=5, echo=True)
    assert r.choices[0].text
    # The client's types do not allow that finish_reason is null, which OpenAI sends in streams.
    loose = openai.OpenAI(base_url=URL, api_key="none", max_retries=0)
    chunks = list(loose.completions.create(model=MODEL, prompt="Hello", max_tokens=5, stream=True,
                                           stream_options={"include_usage": True}))
    assert chunks[-1].usage.prompt_tokens > 0 and chunks[-2].choices[0].finish_reason


@test
def errors():
    for error, arguments in ((openai.BadRequestError, {"temperature": "hot"}),
                             (openai.BadRequestError, {"messages": []}),
                             (openai.BadRequestError, {"tool_choice": "required"}),
                             (openai.BadRequestError, {"messages": [
                                 {"role": "user", "content": "x y " * 200000}]})):
        try:
            chat(**arguments)
            raise AssertionError(str(arguments)[:100])
        except error as e:
            assert e.type == "invalid_request_error" and e.status_code == 400, e
            code = e.code
    assert code == "context_length_exceeded"


def main():
    failures = 0
    for function in tests:
        try:
            function()
            print("ok    ", function.__name__)
        except Exception as e:  # the script reports whatever goes wrong
            failures += 1
            print("FAILED", function.__name__, type(e).__name__, str(e)[:600])
    print(f"openai {openai.VERSION}: {len(tests) - failures} of {len(tests)} passed")
    sys.exit(failures > 0)


main()
