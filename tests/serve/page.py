# SPDX-License-Identifier: Apache-2.0
"""Steps and checks of the test of the chat page. `b` is the browser, `f` the server in front of lfm2's."""
import json
import os
import time

CONTROLS = {"button", "textbox", "combobox", "link", "checkbox", "spinbutton", "listbox", "option", "dialog",
            "alertdialog", "region", "article", "Pre", "DisclosureTriangle"}
NOT_BUSY = "!runs.size"
LAST_TEXT = "[...document.querySelectorAll('.turn .said')].pop()?.textContent"


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(map(str, what)))


def equal(value, wanted):
    check(value == wanted, "got %r, wanted %r" % (value, wanted))


def load(b, f):
    if b.js("typeof database === 'object' && database !== null"):
        b.js("loadHeads().catch(() => 0).then(() => 1)")  # after what is being stored
    b.open("http://127.0.0.1:%d/" % f.port)
    b.until("online && models.length > 0 && document.activeElement === input")


def fresh(b, f):
    """The page with nothing stored."""
    f.scripts.clear()
    f.requests.clear()
    load(b, f)
    b.js("localStorage.clear(); sessionStorage.clear();"
         "removeChats(heads.map((head) => head.id)).then(() => openChat('', true))")
    load(b, f)


def say(b, text, wait=True):
    b.js("input.focus()")
    b.type(text)
    b.press("Enter")
    if wait:
        b.until(NOT_BUSY)


def shown(b):
    """The texts of the turns."""
    return b.js("[...document.querySelectorAll('.turn .said')].map((e) => e.textContent)")


def choose(b, name, value):
    """Sets a value in the settings, which must be open."""
    what = "checked" if isinstance(value, bool) else "value"
    b.js("settingsForm.elements[%s].%s = %s" % (json.dumps(name), what, json.dumps(value)))


def set_up(b, values):
    """Changes settings in the dialog."""
    b.click("#open-settings")
    for name, value in values.items():
        choose(b, name, value)
    clickable(b, "Save")
    b.until("!byId('settings').open")


def shot(b, name):
    if os.environ.get("LFM2_PAGE_SHOTS"):
        time.sleep(0.1)
        b.screenshot(os.path.join(os.environ["LFM2_PAGE_SHOTS"], name + ".png"))


def clickable(b, label, last=True):
    """Clicks the last (or first) button with a name."""
    b.js("""(() => { const all = [...document.querySelectorAll('button')].filter((e) =>
        (e.getAttribute('aria-label') || e.textContent) === %s && e.offsetParent);
        document.querySelectorAll('[data-hit]').forEach((e) => e.removeAttribute('data-hit'));
        all[%s].setAttribute('data-hit', ''); })()""" % (json.dumps(label), "all.length - 1" if last else "0"))
    b.click("[data-hit]")


def no_overflow(b, where):
    wide = b.js("[...document.querySelectorAll('html, body, #scroll, dialog[open], dialog[open] .body')]"
                ".filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.id || e.tagName)")
    equal((where, wide), (where, []))


def names_of_all(b, where):
    tree = b.tree()
    for role, name in tree:
        check(role not in CONTROLS or name.strip(), where, ": a", role, "without a name")
    return tree
