# SPDX-License-Identifier: Apache-2.0
"""An agent of ten turns, with a model that reasons before each call, through the whole server: what was
computed is not computed again, and answers are those of a server that computes everything."""
from common import *

program, model = os.environ["LFM2_PROGRAM"], os.environ["LFM2_DEMO_MODEL"]
edit = os.environ.get("LFM2_EDIT_GGUF")
if not edit:
    sys.exit(77)

# Reasoning is kept after the last message of the user, as in the templates of LFM2.5.
TEMPLATE = """{{ bos_token }}{% set ns = namespace(last=-1) %}{% for m in messages %}\
{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}\
<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}{% if m.thinking is defined and loop.index0 > ns.last %}\
<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}{% if m.tool_calls is defined %}\
<|tool_call_start|>[{% for c in m.tool_calls %}{{ c.function.name }}(\
{% for k, v in c.function.arguments.items() %}{{ k }}='{{ v }}'{% endfor %}){% endfor %}]\
<|tool_call_end|>{% endif %}{% else %}{{ m.content }}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
THINK, THOUGHT, CALL, LETTER = 3, 4, 10, 78
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {
    "type": "object", "properties": {"what": {"type": "string", "maxLength": 20}},
    "required": ["what"]}}}]


def turn(port, messages, seed):
    """A call of the model. The bias makes it think some letters, and write some in the argument."""
    body = {"messages": messages, "tools": TOOLS, "tool_choice": "required", "seed": seed,
            "parallel_tool_calls": False, "max_tokens": 300, "repetition_penalty": 1, "temperature": 1,
            "frequency_penalty": 1, "repeat_last_n": 40,
            "logit_bias": {str(THINK): 60, str(THOUGHT): 71, str(LETTER): 72, str(CALL): 30}}
    return ask(port, "/v1/chat/completions", "POST", json.dumps(body).encode()).json()


def agent(port, turns):
    messages = [{"role": "system", "content": "You look at many things. " * 60},
                {"role": "user", "content": "Look!"}]
    prompt = computed = reasoned = 0
    for i in range(turns):
        answer = turn(port, messages, i)
        message = answer["choices"][0]["message"]
        if not check(answer["choices"][0]["finish_reason"] == "tool_calls", f"turn {i} calls"):
            print(answer)
            break
        reasoned += "reasoning_content" in message
        message.pop("reasoning_content", None)  # as most clients do
        messages += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"],
                               "content": "seen"}]
        if i > 0:
            prompt += answer["usage"]["prompt_tokens"]
            computed += answer["usage"]["prompt_tokens"] - \
                answer["usage"]["prompt_tokens_details"]["cached_tokens"]
    check(reasoned == turns, f"{reasoned} of {turns} turns reason")
    print(f"{computed} of {prompt} tokens were computed again")
    check(prompt > 4000 and computed * 20 <= prompt, "at most a twentieth is computed again")
    return messages


with folder() as work:
    with open(f"{work}/template", "w", encoding="utf-8") as f:
        f.write(TEMPLATE)
    subprocess.run([edit, model, f"{work}/model.gguf", f"{THINK}:3=<think>", f"{THOUGHT}:3=</think>",
                    f"tokenizer.chat_template={work}/template"], check=True)
    server = Server([program, "serve", "-m", f"{work}/model.gguf", "--port", "0", "-t", "1"])
    port = server.port()
    messages = agent(port, 10)
    # The exact tokens are in the prompt, with the reasoning that the client has left out.
    got = ask(port, "/v1/render", "POST", json.dumps({"messages": messages, "tools": TOOLS}).encode())
    check(got.json()["prompt"].count("</think>") == 10, "the reasoning of all turns is replayed")
    # After another message of the user the template drops it.
    messages.append({"role": "user", "content": "Thanks."})
    got = ask(port, "/v1/render", "POST", json.dumps({"messages": messages, "tools": TOOLS}).encode())
    text = got.json()["prompt"]
    check("</think>" not in text and text.count("<|tool_call_start|>") == 10, "and then dropped")
    # A changed call is rendered as the client says.
    messages[2]["tool_calls"][0]["function"]["arguments"] = '{"what": "other"}'
    got = ask(port, "/v1/render", "POST", json.dumps({"messages": messages, "tools": TOOLS}).encode())
    check("[look(what='other')]" in got.json()["prompt"], "a changed call")
    server.stop()
finish()
