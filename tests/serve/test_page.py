#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The chat page in a headless Chromium, with answers of the demo model and with scripted ones.

  test_page.py [CASE...]       LFM2_SERVER_PORT=N takes a server that runs instead of $LFM2_PROGRAM;
                               LFM2_PAGE_SHOTS=DIR writes screenshots."""
import json
import os
import sys
import time

import browser
from common import Server
from front import Answer, Front, chunk, error, words
from page import *

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script><b id=bold>x</b> ' \
    '[x](javascript:window.hit=1) ![x](http://127.0.0.1:1/x.png)'


# ---- Cases --------------------------------------------------------------------------------------


def case_model(b, f):
    """The real server: its headers, an answer of the model, usage, and a reload."""
    policy = b.js("fetch('/').then((r) => r.headers.get('content-security-policy'))")
    check("default-src 'none'" in policy and "unsafe" not in policy, policy)
    say(b, "Hello, who are you?")
    check(shown(b)[0] == "Hello, who are you?" and shown(b)[1], shown(b))
    stats = b.js("pathOf(chat).pop().stats")
    check(stats["tokens"] > 0 and stats["prompt"] > 0, stats)
    check("tokens" in b.js("document.querySelector('.assistant .meta').textContent"))
    texts = shown(b)
    load(b, f)
    b.until("document.querySelectorAll('.turn').length === 2")
    equal(shown(b), texts)
    say(b, "And what can you do?")
    equal(len(shown(b)), 4)
    roles = [message["role"] for message in f.sent()[-1]["messages"]]
    equal(roles, ["user", "assistant", "user"])


def case_real(b, f):
    """What the page asks for is what the server understands: going on, tools, schemas, keys."""
    set_up(b, {"max_tokens": "3", "temperature": "0"})
    say(b, "Hello, who are you?")
    equal(b.js("pathOf(chat)[1].state"), "length")
    begun = shown(b)[-1]
    clickable(b, "Continue")
    b.until(NOT_BUSY)
    check(shown(b)[-1].startswith(begun) and len(shown(b)[-1]) > len(begun), shown(b))
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"]}}}]
    b.click("#new")
    set_up(b, {"max_tokens": "", "tools": json.dumps(tools), "tool_choice": "required", "parallel": False})
    say(b, "What is the weather in Oslo?")
    calls = b.js("pathOf(chat)[1].calls")
    check(calls and calls[0]["name"] == "get_weather" and "city" in json.loads(calls[0]["arguments"]), calls)
    set_up(b, {"tool_choice": "none"})
    b.js("document.querySelectorAll('form.edit textarea').forEach((e) => { e.value = 'cold'; })")
    clickable(b, "Send the results")
    b.until(NOT_BUSY)
    check(b.js("byId('notice').hidden && pathOf(chat).length === 4"), b.js("byId('notice').innerText"))
    b.click("#new")
    set_up(b, {"tools": "", "form": "json_schema", "schema": '{"type":"object","properties":{"n":{"enum":[7]}},'
               '"required":["n"],"additionalProperties":false}'})
    say(b, "Give me a number")
    equal(json.loads(shown(b)[-1]), {"n": 7})


def case_stop(b, f):
    """An answer grows while it is written; stopping ends the request and keeps the text."""
    place = "byId('composer').getBoundingClientRect().top"
    before = b.js(place)
    answer = f.script(Answer(words("One two three four")[:-2], pause=0.01, end="hang"))
    say(b, "Count", wait=False)
    b.until(LAST_TEXT + " === 'One two three four'")
    check(b.js("byId('stop').offsetParent !== null && byId('send').offsetParent === null"))
    equal(b.js(place), before)
    b.click("#stop")
    b.until(NOT_BUSY)
    check(answer.left.wait(30), "the request goes on")
    equal(shown(b)[-1], "One two three four")
    check("Stopped" in b.js("[...document.querySelectorAll('.meta')].pop().textContent"))
    equal(b.js(place), before)
    f.script(Answer(words(" five")))
    clickable(b, "Continue")
    b.until(NOT_BUSY)
    equal(shown(b)[-1], "One two three four five")
    request = f.sent()[-1]
    equal(request["messages"][-1], {"role": "assistant", "content": "One two three four"})
    check(request["continue_final_message"] is True and request["add_generation_prompt"] is False)
    # Before the first token nothing stays, and Escape does the same as the button.
    f.script(Answer([chunk({"role": "assistant", "content": ""})], end="hang"))
    say(b, "More", wait=False)
    b.until("runs.size === 1 && !byId('stop').hidden")
    b.press("Escape")
    b.until(NOT_BUSY)
    equal(shown(b), ["Count", "One two three four five", "More"])


def case_spoken(b, f):
    """Screen readers hear an answer in sentences, now and then, and all of it once."""
    b.js("""window.spoken = []; new MutationObserver(() => spoken.push(byId('live').textContent))
        .observe(byId('live'), {childList: true, characterData: true, subtree: true})""")
    text = "This is a sentence. " * 40
    start = time.monotonic()
    f.script(Answer(words(text, size=10), pause=0.04))
    say(b, "Talk")
    spoken = b.js("spoken")
    check(2 <= len(spoken) <= 3 + (time.monotonic() - start) / 2, len(spoken), "pieces")
    equal("".join(spoken).replace(" The answer is complete.", ""), text)
    check(all(piece.rstrip().endswith(".") for piece in spoken), spoken)
    equal(b.js("byId('turns').closest('[aria-live]')"), None)


def case_versions(b, f):
    """Edited messages and repeated answers are versions; earlier ones stay reachable."""
    f.script(*[Answer(words(text)) for text in ("first", "second", "third", "fourth")])
    say(b, "Question")
    clickable(b, "Try again")
    b.until(NOT_BUSY)
    equal(shown(b), ["Question", "second"])
    clickable(b, "Previous version")
    equal(shown(b), ["Question", "first"])
    check(b.js("document.activeElement.getAttribute('aria-label')") == "Previous version")
    clickable(b, "Edit", last=False)
    b.until("document.activeElement.tagName === 'TEXTAREA'")
    b.js("document.activeElement.value = 'Other question'")
    b.click(".turn .edit .main")
    b.until(NOT_BUSY)
    equal(shown(b), ["Other question", "third"])
    equal([m["content"] for m in f.sent()[-1]["messages"]], ["Other question"])
    say(b, "More")
    equal(shown(b), ["Other question", "third", "More", "fourth"])
    clickable(b, "Previous version", last=False)
    equal(shown(b), ["Question", "first"])
    load(b, f)
    b.until("document.querySelectorAll('.turn').length === 2")
    clickable(b, "Next version")
    equal(shown(b), ["Question", "second"])
    clickable(b, "Next version", last=False)
    equal(shown(b), ["Other question", "third", "More", "fourth"])
    # The answer can be edited too, which asks nothing.
    clickable(b, "Edit")
    b.until("document.activeElement.tagName === 'TEXTAREA'")
    b.press("Escape")
    b.until("document.activeElement.getAttribute('aria-label') === 'Edit'")
    equal(len(f.sent()), 4)


def case_hostile(b, f):
    """Text of the model, of tools and of files stays text."""
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": HOSTILE, "arguments": HOSTILE}}
    f.script(Answer([chunk({"reasoning_content": HOSTILE}), chunk({"content": HOSTILE}), chunk({"tool_calls": [call]}),
                     chunk(finish="tool_calls")]), Answer(words("# " + HOSTILE + "\n\n| a |\n|---|\n| " + HOSTILE + " |")))
    f.script(Answer(status=200, chunks=[]), path="/none")
    say(b, HOSTILE)
    b.js("document.querySelector('form.edit textarea').value = %s" % json.dumps(HOSTILE))
    clickable(b, "Send the results")
    b.until(NOT_BUSY)
    chats = b.js("JSON.stringify(chat)")
    data = {"format": "lfm2-chats", "version": 1, "chats": [json.loads(chats), {"nodes": 5}, None, {
        "title": HOSTILE, "children": ["a", "a", "__proto__"], "chosen": 99, "nodes": {
            "a": {"role": "user", "text": HOSTILE, "children": ["b", "a"]},
            "b": {"role": "assistant", "text": 5, "calls": [{"name": HOSTILE}], "children": ["a"], "state": "x"}}}]}
    b.js("importChats(new File([%s], 'x.json'))" % json.dumps(json.dumps(data)))
    equal(b.js("heads.length"), 3)
    for i in range(3):
        b.js("openChat(heads[%d].id, true)" % i)
        check(HOSTILE in b.js("document.body.innerText"))
        equal(b.js("document.querySelectorAll('#turns img, #turns script, #turns b, #list img, h1 img').length"), 0)
        equal(b.js("[...document.querySelectorAll('a[href]')].filter((e) => !/^(https?:|#)/.test(e.getAttribute('href'))).length"), 0)
    equal(b.js("window.hit"), None)


def case_markdown(b, f):
    """The subset of Markdown, whether the text comes at once or grows."""
    pairs = {
        "a **b *c* d** `e*f*` ~~g~~ ***h***": "<p>a <strong>b <em>c</em> d</strong> <code>e*f*</code> <del>g</del> <em><strong>h</strong></em></p>",
        "snake_case_name 2 * 3 * 4 **open": "<p>snake_case_name 2 * 3 * 4 **open</p>",
        "# A\n\ntext\n***": "<h3>A</h3><p>text</p><hr>",
        "- a\n- b\n  1. c\n  2. d\n\n  e\n\nf": "<ul><li>a</li><li>b<ol start=\"1\"><li>c</li><li>d</li></ol><p>e</p></li></ul><p>f</p>",
        "> a\n> > b": "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>",
        "one  \ntwo": "<p>one<br>two</p>",
        "\\*a\\* \\<b>": "<p>*a* &lt;b&gt;</p>",
    }
    for text, html in pairs.items():
        whole = "(() => { const e = make('div'); Growing(e)(%s); return e.innerHTML; })()" % json.dumps(text)
        equal(b.js(whole), html)
    text = "\n\n".join(list(pairs) + ["| a | b |\n|---|:-:|\n| c \\| d | e |\n", "```c\n# x\n\n- y\n```", "~~~\nopen"])
    grown = b.js("""(() => { const text = %s, whole = make('div'), grown = make('div'), grow = Growing(grown);
        Growing(whole)(text);
        for (let i = 0; i <= text.length; i++) grow(text.slice(0, i));
        return [whole.innerHTML, grown.innerHTML]; })()""" % json.dumps(text))
    equal(grown[1], grown[0])
    check('<td>c | d</td><td class="center">e</td>' in grown[0], grown[0])
    # None of these takes more than a moment.
    hard = ["*a _b **c " * 20000, "[" * 100000, "`" * 9 + "a `" * 50000, "> " * 50000, "- " * 50000, "|" * 100000,
            " " * 100000 + "x", "# " + " " * 100000 + "x", "- a\n\n" * 20000, "a|b\n" + "-|" * 50000, "<" * 100000,
            "1. " * 1000 + "\n" * 50000, "http://" + "a)" * 50000, "```" + " " * 100000 + "`", "--- " * 30000 + "x"]
    for text in hard:
        b.js("void Growing(make('div'))(%s)" % json.dumps(text))


def case_keyboard(b, f):
    """Everything with keys alone: the skip link, sending, an edit, settings, deleting."""
    f.script(Answer(words("One")), Answer(words("Two")))

    def tab_to(name, shift=False):
        for _ in range(60):
            b.press("Tab", shift)
            if b.js("(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent)") == name:
                equal(b.js("getComputedStyle(document.activeElement).outlineStyle"), "solid")
                return
        raise AssertionError("no key reaches " + name)

    b.js("document.activeElement.blur()")
    tab_to("Skip to the message")
    b.press("Enter")
    b.until("document.activeElement === input")
    b.type("First line")
    b.press("Enter", shift=True)
    b.type("second line")
    b.press("Enter")
    b.until(NOT_BUSY)
    equal(shown(b), ["First line\nsecond line", "One"])
    tab_to("Edit", shift=True)
    tab_to("Edit", shift=True)
    b.press("Enter")
    b.until("document.activeElement.tagName === 'TEXTAREA' && document.activeElement !== input")
    b.js("document.activeElement.select()")
    b.type("Edited")
    tab_to("Send")
    b.press("Enter")
    b.until(NOT_BUSY)
    equal(shown(b), ["Edited", "Two"])
    tab_to("Settings", shift=True)
    b.press("Enter")
    b.until("byId('settings').open")
    b.press("Escape")
    b.until("!byId('settings').open && document.activeElement.id === 'open-settings'")
    tab_to("Rename, export or delete this chat", shift=True)
    b.press("Enter")
    tab_to("Delete")
    b.press("Enter")
    b.until("byId('ask').open")
    tab_to("Delete")
    b.press("Enter")
    b.until("!heads.length && !document.querySelector('.turn') && document.activeElement === input")


def case_phone(b, f):
    """360 pixels: nothing is wider, and the list of chats opens over the page."""
    b.size(360, 740, True)
    try:
        no_overflow(b, "empty")
        f.script(Answer(words("word" * 100 + "\n\n```\n" + "x " * 200 + "\n```\n\n|" + "long cell|" * 12 + "\n|" + "-|" * 12 +
                              "\n|" + "long cell|" * 12 + "\n\n- a\n  - b\n    - " + "c" * 200, reasoning="r" * 300)),
                 error(400, "m" * 300))
        say(b, "q" * 300)
        no_overflow(b, "answer")
        shot(b, "phone")
        say(b, "again")
        no_overflow(b, "notice")
        shot(b, "phone-notice")
        b.click("#open-side")
        b.until("document.activeElement.id === 'close-side'")
        shot(b, "phone-side")
        b.press("Escape")
        b.until("document.activeElement.id === 'open-side'")
        b.click("#open-settings")
        no_overflow(b, "settings")
        shot(b, "phone-settings")
        b.press("Escape")
    finally:
        b.size(1200, 800)


def case_names(b, f):
    """Every control has a name for screen readers, ids are unique, and the contrast is enough."""
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    f.script(Answer(words("# A\n\n- `b`\n\n> c\n\n```\nd\n```\n\n| a |\n|---|\n| b |\n\n[e](http://e)", reasoning="f")),
             Answer([chunk({"tool_calls": [call]}), chunk(finish="tool_calls")]), error(500, "no"))
    say(b, "One")
    say(b, "Two")
    tree = names_of_all(b, "calls")
    check(("textbox", "Result of look_up") in tree and ("textbox", "Message") in tree, tree)
    check(("heading", "You") in tree and any(role == "status" for role, _ in tree), tree)
    say(b, "Three")
    names_of_all(b, "notice")
    contrast(b, "notice")
    clickable(b, "Edit", last=False)
    names_of_all(b, "edit")
    b.press("Escape")
    for opener, dialog in (("#open-settings", "settings"), ("#manage", "chat")):
        b.click(opener)
        names_of_all(b, dialog)
        contrast(b, dialog)
        shot(b, dialog)
        b.press("Escape")
        b.until("!byId('%s').open" % dialog)
    b.colors("dark")
    b.until("document.documentElement.dataset.theme === 'dark'")
    contrast(b, "dark")
    shot(b, "dark")
    b.click("#open-settings")
    contrast(b, "dark settings")
    b.press("Escape")
    b.colors("light")
    equal(b.js("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"),
          b.js("document.querySelectorAll('[id]').length"))


CONTRAST = """(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const back = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0.99) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.offsetParent) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(back(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(e.tagName + ' ' + e.textContent.slice(0, 20) + ' ' + ratio.toFixed(2));
  }
  return bad; })()"""


def contrast(b, where):
    equal((where, b.js(CONTRAST)), (where, []))


def case_key(b, f):
    """401: the page asks for the key, repeats the request with it, and forgets it with the tab."""
    f.script(error(401, "Incorrect API key", "invalid_api_key"), Answer(words("in")))
    say(b, "Let me in", wait=False)
    b.until("document.activeElement.getAttribute('aria-label') === 'API key'")
    b.type("secret-key")
    b.press("Enter")
    b.until(LAST_TEXT + " === 'in'")
    b.until(NOT_BUSY)
    headers = [head for path, head, _ in f.requests if path == "/v1/chat/completions"]
    equal(headers[-1]["Authorization"], "Bearer secret-key")
    check("Authorization" not in headers[0], headers[0])
    stored = b.js("Promise.all(heads.map((h) => loadChat(h.id))).then((all) => JSON.stringify([all, {...localStorage}]))")
    check("secret-key" not in stored and len(stored) > 100, stored)


def case_busy(b, f):
    """429 with Retry-After: the page waits and asks again; stopping ends the wait."""
    busy = error(429, "The queue is full", "rate_limit", [("Retry-After", "1")])
    f.script(busy, Answer(words("there")))
    start = time.monotonic()
    say(b, "Hello", wait=False)
    b.until("document.querySelector('.waiting')?.textContent.includes('busy')")
    b.until(NOT_BUSY)
    check(time.monotonic() - start >= 1, "too early")
    equal(shown(b), ["Hello", "there"])
    f.script(error(503, "draining", None, [("Retry-After", "600")]))
    say(b, "More", wait=False)
    b.until("document.querySelector('.waiting')?.textContent.includes('busy')")
    b.click("#stop")
    b.until(NOT_BUSY)
    equal(shown(b), ["Hello", "there", "More"])


def case_lost(b, f):
    """A stream that breaks off, a reload within one, and a server that is restarted."""
    f.script(Answer(words("Half an answer")[:-3], end="cut"), Answer(words(" and the rest")))
    say(b, "Tell me")
    check("lost" in b.js("[...document.querySelectorAll('.meta')].pop().textContent"))
    half = shown(b)[-1]
    check(half and "Half an answer".startswith(half), half)
    clickable(b, "Continue")
    b.until(NOT_BUSY)
    equal(shown(b)[-1], half + " and the rest")
    f.script(Answer(words("x" * 4000)[:-2], pause=0.005, end="hang"))
    say(b, "Write much", wait=False)
    b.until("loadChat(chat.id).then((c) => Object.values(c.nodes).some((n) => n.text.startsWith('xxxx')))")
    load(b, f)
    b.until("document.querySelectorAll('.turn').length === 4")
    check(shown(b)[-1].startswith("xxxx"))
    check("Continue" in b.js("byId('turns').innerText"))
    f.stop()
    say(b, "Are you there?")
    b.until("!byId('notice').hidden && byId('notice').innerText.includes('does not answer')")
    check(b.js("document.body.classList.contains('off')"))
    f.start()
    b.until("byId('notice').innerText.includes('is back')")
    f.script(Answer(words("Yes")))
    clickable(b, "Try again")
    b.until(LAST_TEXT + " === 'Yes'")
    equal(shown(b)[-2:], ["Are you there?", "Yes"])


def case_errors(b, f):
    """Errors before and within the stream say what to do."""
    f.script(error(400, "The prompt has 9000 tokens, the context 8192", "context_length_exceeded"))
    say(b, "Long")
    said = b.js("byId('notice').innerText")
    check("9000" in said and "Start a new chat" in said, said)
    f.script(Answer([chunk({"content": "Part"}), {"error": {"message": "out of memory", "type": "server_error"}}]))
    clickable(b, "Try again")
    b.until(LAST_TEXT + " === 'Part'")
    b.until(NOT_BUSY)
    check("Out of memory." in b.js("byId('notice').innerText"))
    for status in (403, 404, 413, 500):
        f.script(error(status, "reason %d" % status))
        say(b, "Again")
        check("Reason %d." % status in b.js("byId('notice').innerText"))
    # A stream with comments, CRLF, and characters and lines that are cut anywhere.
    text = ": comment\r\n\r\n" + "".join("data: %s\r\n\r\n" % json.dumps(c, ensure_ascii=False) for c in words("Grüße 🌍 aus Köln"))
    data = text.encode()
    cuts = [0, 9, data.index("ü".encode()) + 1, data.index("🌍".encode()) + 2, data.rindex(b"\r\n") + 1, len(data)]
    f.script(Answer([data[start:end] for start, end in zip(cuts, cuts[1:])], pause=0.05))
    say(b, "Greet")
    equal(shown(b)[-1], "Grüße 🌍 aus Köln")


def case_tools(b, f):
    """Settings go into the request; tool calls are shown, and the user writes their results."""
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    b.click("#open-settings")
    choose(b, "tools", "{nonsense")
    clickable(b, "Save")
    check(b.js("byId('settings').open && document.activeElement.name === 'tools'"))
    check("JSON array" in b.js("byId('wrong-tools').textContent"))
    b.press("Escape")
    set_up(b, {"tools": json.dumps(tools), "system": "Be brief", "temperature": "0.5", "top_k": "40", "seed": "7",
                        "max_tokens": "99", "stop": "END\nSTOP", "form": "json_schema", "schema": '{"type":"object"}'})
    calls = [chunk({"tool_calls": [{"index": i, "id": "c%d" % i, "type": "function",
                                    "function": {"name": "get_weather", "arguments": ""}}]}) for i in (0, 1)]
    calls += [chunk({"tool_calls": [{"index": i, "function": {"arguments": part}}]})
              for part in ('{"city":', ' "Oslo"}') for i in (0, 1)]
    calls += [chunk({"tool_calls": [{"index": i, "function": {"arguments": "?"}}]}) for i in (-1, 10**9, 0.5, "x")]
    f.script(Answer(calls + [chunk(finish="tool_calls")]), Answer(words("Cold")))
    say(b, "Weather?")
    request = f.sent()[-1]
    for name, value in {"temperature": 0.5, "top_k": 40, "seed": 7, "max_completion_tokens": 99, "stop": ["END", "STOP"],
                        "tools": tools, "tool_choice": "auto", "stream": True}.items():
        equal((name, request[name]), (name, value))
    equal(request["response_format"]["json_schema"]["schema"], {"type": "object"})
    equal(request["messages"][0], {"role": "system", "content": "Be brief"})
    check("top_p" not in request, request)
    check('"city": "Oslo"' in b.js("byId('turns').innerText"))
    shot(b, "calls")
    b.js("document.querySelectorAll('form.edit textarea').forEach((e, i) => { e.value = 'degrees ' + i; })")
    clickable(b, "Send the results")
    b.until(NOT_BUSY)
    sent = f.sent()[-1]["messages"][2:]
    equal([m["role"] for m in sent], ["assistant", "tool", "tool"])
    equal(sent[0]["tool_calls"][1]["function"], {"name": "get_weather", "arguments": '{"city": "Oslo"}'})
    equal((sent[2]["tool_call_id"], sent[2]["content"]), ("c1", "degrees 1"))
    equal(shown(b)[-1], "Cold")


def case_copy(b, f):
    """Copying gives the source, also where the page has no clipboard; the button keeps the focus."""
    source = "**a** <b>\n\n```c\nint x;\n```"
    f.script(Answer(words(source)))
    say(b, "Code")
    stub = "Object.defineProperty(navigator.clipboard, 'writeText', {configurable: true, value: %s})"
    b.js(stub % "async (text) => { window.copied = text; }")
    clickable(b, "Copy")
    equal(b.until("copied"), source)
    clickable(b, "Copy the code")
    b.until("copied === 'int x;'")
    equal(b.js("byId('live').textContent"), "Copied")
    b.js("document.addEventListener('copy', () => { window.old = document.activeElement.value; })")
    b.js(stub % "() => Promise.reject(new Error('no'))")
    clickable(b, "Copy", last=False)
    equal(b.until("window.old"), "Code")
    equal(b.js("document.activeElement.getAttribute('aria-label')"), "Copy")
    equal(b.js("document.querySelectorAll('body > textarea').length"), 0)


def case_storage(b, f):
    """Export, import, deleting, a full store and a browser that stores nothing."""
    f.script(Answer(words("One", reasoning="thought")), Answer(words("Two")), Answer(words("Three")), Answer(words("Four")))
    say(b, "First chat")
    b.click("#new")
    say(b, "Second chat")
    equal(b.js("heads.map((head) => head.title)"), ["Second chat", "First chat"])
    b.js("URL.createObjectURL = (blob) => { window.exported = blob.text(); return '#'; }")
    b.click("#open-settings")
    clickable(b, "Export")
    text = b.until("window.exported")
    equal(len(json.loads(text)["chats"]), 2)
    clickable(b, "Delete all")
    b.click("#ask-yes")
    b.until("!heads.length && !byId('settings').open")
    b.js("""(() => { const files = new DataTransfer(); files.items.add(new File([%s], 'chats.json'));
        byId('file').files = files.files; byId('file').dispatchEvent(new Event('change')); })()""" % json.dumps(text))
    b.until("heads.length === 2")
    b.js("openChat(heads.find((head) => head.title === 'First chat').id, true)")
    b.until("document.querySelectorAll('.turn').length === 2")
    equal((shown(b), b.js("pathOf(chat)[1].reasoning")), (["First chat", "One"], "thought"))
    # Another tab has renamed the chat.
    b.js("""transaction("readwrite", (all, some) => { all.put({...chat, title: "Renamed"}); some.put({...headOf(chat), title: "Renamed"}); })
        .then(() => new BroadcastChannel("lfm2").postMessage(chat.id))""")
    b.until("byId('title').textContent === 'Renamed' && byId('list').textContent.includes('Renamed')")
    b.js("database.transaction = () => { throw new DOMException('full', 'QuotaExceededError'); }")
    say(b, "More")
    equal(shown(b)[-1], "Three")
    check("could not be stored" in b.js("byId('notice').innerText"))
    script = b.send("Page.addScriptToEvaluateOnNewDocument", {"source": """
        indexedDB.open = () => { throw new DOMException('no', 'SecurityError'); };
        Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"""})
    load(b, f)
    say(b, "Kept nowhere")
    equal(shown(b), ["Kept nowhere", "Four"])
    b.send("Page.removeScriptToEvaluateOnNewDocument", script)


def case_policy(b, f):
    """The browser enforces the policy: this is what the other cases would report."""
    b.js("document.body.setAttribute('style', 'color: red')")
    b.js("new Promise((done) => { const i = new Image(); i.onerror = done; i.src = 'http://127.0.0.1:1/x.png'; }).then(() => 1)")
    texts = [text for text in b.complaints() if "Content Security Policy" in text]
    check(any("inline style" in text for text in texts) and any("x.png" in text for text in texts), b.complaints())
    b.events.clear()


def run(b, f, names):
    failed = []
    for name in names:
        start = time.monotonic()
        b.events.clear()
        try:
            fresh(b, f)
            globals()["case_" + name](b, f)
            noise = ("Failed to load resource", "net::ERR_")
            complaints = [text for text in b.complaints() if not any(word in text for word in noise)]
            equal(complaints, [])
            print("ok      %-10s %5.2f s" % (name, time.monotonic() - start))
        except (AssertionError, RuntimeError) as problem:
            failed.append(name)
            print("FAILED  %-10s %s" % (name, str(problem)[:1000]))
            shot(b, "failed-" + name)
    return failed


def upstream():
    """`lfm2 serve` with the demo model, or None and the port of a server that runs."""
    if os.environ.get("LFM2_SERVER_PORT"):
        return None, int(os.environ["LFM2_SERVER_PORT"])
    server = Server([os.environ["LFM2_PROGRAM"], "serve", "-m", os.environ["LFM2_DEMO_MODEL"], "--port", "0"])
    return server, server.port()


def main():
    chromium = browser.find()
    if not chromium:
        print("skipped: no Chromium (package chromium-headless-shell)")
        return 77
    names = [name[5:] for name in globals() if name.startswith("case_")]
    if os.environ.get("LFM2_TEST_SAMPLE"):
        names = ["model", "real", "stop", "policy"]  # the others are about the page alone
    names = sys.argv[1:] or names
    server, port = upstream()
    b = browser.Browser(chromium)
    try:
        b.size(1200, 800)
        b.colors("light")
        failed = run(b, Front(port), names)
    finally:
        b.close()
    ended = not server or server.stop()
    print("%d passed, %d failed" % (len(names) - len(failed), len(failed)))
    return 0 if ended and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
