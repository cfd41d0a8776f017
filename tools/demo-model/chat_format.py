# SPDX-License-Identifier: Apache-2.0
"""Chats, and their text in the LFM2-8B-A1B chat template."""

import json
from dataclasses import dataclass, field

BOS, IM_START, IM_END = "<|startoftext|>", "<|im_start|>", "<|im_end|>"
TOOL_LIST = ("<|tool_list_start|>", "<|tool_list_end|>")
TOOL_CALL = ("<|tool_call_start|>", "<|tool_call_end|>")
TOOL_RESPONSE = ("<|tool_response_start|>", "<|tool_response_end|>")


@dataclass
class Chat:
    """A conversation: messages with "role" and "content", and the schemas of its tools."""

    messages: list = field(default_factory=list)
    tools: list = None

    def add(self, role, content):
        self.messages.append({"role": role, "content": content})
        return self


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def render(chat, bos=True, generation_prompt=False):
    """The text of a chat: BOS, system block (with the tool list), one block for each message."""
    out = [BOS] if bos else []
    messages, system = chat.messages, ""
    if messages and messages[0]["role"] == "system":
        system, messages = messages[0]["content"], messages[1:]
    if chat.tools:
        system += ("\n" if system else "") + "List of tools: " + TOOL_LIST[0] + "["
        system += ", ".join(dumps(t) for t in chat.tools) + "]" + TOOL_LIST[1]
    if system:
        out.append(f"{IM_START}system\n{system}{IM_END}\n")
    for m in messages:
        content = m["content"]
        if m["role"] == "tool":
            content = TOOL_RESPONSE[0] + content + TOOL_RESPONSE[1]
        out.append(f"{IM_START}{m['role']}\n{content}{IM_END}\n")
    if generation_prompt:
        out.append(f"{IM_START}assistant\n")
    return "".join(out)
