# SPDX-License-Identifier: Apache-2.0
"""Generates the demo model's chats from a seed. All text comes from this folder.

A *skill* is a function ``f(r) -> (key, user, answer)`` (one exchange) or ``f(r) -> (key, Chat)``
(tools, system prompts, several turns); ``r`` is a ``random.Random``. ``key`` names the content of
the exercise. A key whose hash falls into one bucket of 32 belongs to the held-out split: training
never contains that exercise, and no other wording of it where the key consists of the arguments
alone.

    python data.py --show 20                  # print samples
    python data.py --heldout heldout.jsonl    # write the held-out prompts
"""

import argparse
import random

from chat_format import Chat, dumps, render
from skills.conversations import follow_up, memory, persona
from skills.phrasing import SYSTEMS
from skills.single import SINGLE, SINGLE_WEIGHTS, draw_single, is_heldout
from skills.talk import UNKNOWN
from skills.tools import tool_answer, tool_call

# skill: (function, weight in the mixture)
CHATS = {
    "tool_call": (tool_call, 1.6),
    "tool_answer": (tool_answer, 0.9),
    "persona": (persona, 0.9),
    "memory": (memory, 1.6),
    "follow_up": (follow_up, 1.2),
}
SKILLS = list(SINGLE) + list(CHATS)
CHAT_NAMES, CHAT_WEIGHTS = list(CHATS), [w for _, w in CHATS.values()]
CHAT_SHARE = sum(CHAT_WEIGHTS) / (sum(SINGLE_WEIGHTS) + sum(CHAT_WEIGHTS))


def draw_chat(r, skill, heldout=False):
    """A chat of a skill in CHATS, of the wanted split."""
    while True:
        key, chat = CHATS[skill][0](r)
        if is_heldout(key) == heldout:
            return chat


def training_chat(r):
    """One training conversation: a chat skill, or one to twenty exchanges of mixed skills."""
    if r.random() < CHAT_SHARE * 1.6:
        chat = draw_chat(r, r.choices(CHAT_NAMES, CHAT_WEIGHTS)[0])
        first, last = chat.messages[0], chat.messages[-1]
        persona_set = first["role"] == "system" and first["content"] not in SYSTEMS
        if last["role"] == "assistant" and r.random() < 0.3 and not persona_set:
            _, user, answer = draw_single(r)
            # where the chat has tools, sums and questions out of scope could be meant for a tool
            if not (chat.tools and (answer == UNKNOWN or answer[0].isdigit())):
                chat.add("user", user).add("assistant", answer)
        return chat
    chat = Chat()
    if r.random() < 0.2:
        chat.add("system", r.choice(SYSTEMS))
    x = r.random()
    if x < 0.45:
        turns = 1
    elif x < 0.80:
        turns = r.randint(2, 3)
    elif x < 0.97:
        turns = r.randint(4, 8)
    else:
        turns = r.randint(9, 20)
    for _ in range(turns):
        _, user, answer = draw_single(r)
        chat.add("user", user).add("assistant", answer)
    return chat


def heldout_chats(per_skill, seed=20261122):
    """The held-out prompts: (skill, chat); the last message of each chat is the expected answer."""
    out, seen = [], set()
    for skill in SKILLS:
        r = random.Random(f"{seed}/{skill}")
        n, tries = 0, 0
        while n < per_skill and tries < 2000 * per_skill:
            tries += 1
            if skill in SINGLE:
                _, user, answer = draw_single(r, skill, True)
                chat = Chat()
                if r.random() < 0.2:
                    chat.add("system", r.choice(SYSTEMS))
                chat.add("user", user).add("assistant", answer)
            else:
                chat = draw_chat(r, skill, True)
            text = render(chat)
            if text not in seen:
                seen.add(text)
                out.append((skill, chat))
                n += 1
    return out


def write_heldout(path, per_skill):
    """Writes the held-out prompts as JSON Lines."""
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        for skill, chat in heldout_chats(per_skill):
            row = {"skill": skill, "messages": chat.messages[:-1]}
            if chat.tools:
                row["tools"] = chat.tools
            row["expected"] = chat.messages[-1]["content"]
            f.write(dumps(row) + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--show", type=int, default=0, help="print this many training chats")
    p.add_argument("--skill", help="with --show: print exercises of this skill")
    p.add_argument("--heldout", help="write the held-out prompts to this file (JSON Lines)")
    p.add_argument("--per-skill", type=int, default=50)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    if a.heldout:
        write_heldout(a.heldout, a.per_skill)
    r = random.Random(a.seed)
    for _ in range(a.show):
        if a.skill in SINGLE:
            _, user, answer = draw_single(r, a.skill)
            print(repr(user), "->", repr(answer))
        else:
            print(render(draw_chat(r, a.skill) if a.skill else training_chat(r)))


if __name__ == "__main__":
    main()
