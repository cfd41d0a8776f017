# SPDX-License-Identifier: Apache-2.0
"""All skills of one exchange, their weights, and the split into training and held-out exercises."""

import hashlib

from skills.arithmetic import add, divide, multiply, subtract
from skills.facts import capitals, dates, facts, opposites, plurals, units
from skills.json_text import json_object
from skills.letters import case, count_letters, first_last, reverse, spell
from skills.lists import compare, count_words, max_min, repeat, sort_numbers, sort_words
from skills.notes import extract
from skills.numbers import counting, number_words, parity, sequence
from skills.talk import small_talk, unknown

HELDOUT_BUCKETS = 32
# the exercises that README and tools/demo show are always held out
SHOWN = {"127+48", "503-78", "37*6", "letters:planet", "letters:strawberry", "sort:42,7,19"}


def is_heldout(key):
    """Whether the exercise belongs to the held-out split."""
    if key in SHOWN:
        return True
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % HELDOUT_BUCKETS == 0


# skill: (function, weight in the mixture)
SINGLE = {
    "add": (add, 2.2),
    "subtract": (subtract, 2.2),
    "multiply": (multiply, 2.2),
    "divide": (divide, 1.2),
    "spell": (spell, 1.0),
    "reverse": (reverse, 1.5),
    "count_letters": (count_letters, 1.3),
    "first_last": (first_last, 0.6),
    "case": (case, 1.0),
    "count_words": (count_words, 0.8),
    "sort_numbers": (sort_numbers, 1.5),
    "sort_words": (sort_words, 1.3),
    "max_min": (max_min, 0.8),
    "compare": (compare, 0.8),
    "sequence": (sequence, 1.2),
    "parity": (parity, 0.4),
    "number_words": (number_words, 0.7),
    "counting": (counting, 0.4),
    "repeat": (repeat, 0.8),
    "units": (units, 1.0),
    "dates": (dates, 1.2),
    "capitals": (capitals, 0.7),
    "opposites": (opposites, 0.5),
    "facts": (facts, 0.5),
    "plurals": (plurals, 0.5),
    "small_talk": (small_talk, 0.9),
    "unknown": (unknown, 0.7),
    "extract": (extract, 2.4),
    "json": (json_object, 1.3),
}
# skills whose answer a system prompt may change
EASY = [
    "capitals",
    "opposites",
    "facts",
    "small_talk",
    "parity",
    "max_min",
    "dates",
    "add",
    "units",
]
SINGLE_NAMES, SINGLE_WEIGHTS = list(SINGLE), [w for _, w in SINGLE.values()]


def draw_single(r, skill=None, heldout=False):
    """One exchange of the wanted split: (key, user, answer)."""
    skill = skill or r.choices(SINGLE_NAMES, SINGLE_WEIGHTS)[0]
    while True:
        item = SINGLE[skill][0](r)
        if is_heldout(item[0]) == heldout:
            return item
