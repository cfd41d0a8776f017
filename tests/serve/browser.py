# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven through its DevTools protocol over two pipes."""
import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " "), "ArrowDown": (40, ""),
        "ArrowUp": (38, "")}


def find():
    """The path of a Chromium, or None."""
    for name in PROGRAMS:
        path = shutil.which(name)
        if path:
            return path
    return None


class Browser:
    """A browser with one page. Close it: it is a process, and its profile is a folder."""

    def __init__(self, program, width=1200, height=800):
        self.profile = tempfile.mkdtemp(prefix="lfm2-page-")
        ours, theirs = os.pipe(), os.pipe()
        arguments = [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                     "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                     "--user-data-dir=" + self.profile, "--window-size=%d,%d" % (width, height)]
        # The browser reads from descriptor 3 and writes to descriptor 4.
        line = 'exec "$0" "$@" 3<&%d 4>&%d' % (ours[0], theirs[1])
        self.process = subprocess.Popen(["bash", "-c", line] + arguments, pass_fds=(ours[0], theirs[1]),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(theirs[1])
        self.pipe = ours[1]
        self.answers = queue.Queue()
        self.events = []
        self.last = 0
        threading.Thread(target=self._read, args=(theirs[0],), daemon=True).start()
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = None
        self.session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Accessibility"):
            self.send(domain + ".enable")

    def _read(self, descriptor):
        rest = b""
        while True:
            piece = os.read(descriptor, 1 << 20)
            if not piece:
                self.answers.put(None)
                return
            *messages, rest = (rest + piece).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self.answers.put(message)
                else:
                    self.events.append(message)

    def send(self, method, parameters=None):
        """Sends a command and returns its result."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters or {}}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.pipe, data):]
        while True:
            answer = self.answers.get(timeout=120)
            if answer is None:
                raise RuntimeError("the browser has ended")
            if answer["id"] == self.last:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]

    def close(self):
        try:
            self.session = None
            self.send("Browser.close")
        except (RuntimeError, OSError, queue.Empty):
            pass
        os.close(self.pipe)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, url):
        self.send("Page.navigate", {"url": url})
        self.until("document.readyState === 'complete'")

    def js(self, expression):
        """The value of an expression in the page."""
        result = self.send("Runtime.evaluate", {"expression": expression, "awaitPromise": True,
                                                "returnByValue": True, "userGesture": True})
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def until(self, expression, seconds=60):
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.js(expression)
                if value:
                    return value
            except RuntimeError:  # a page that is being loaded
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise AssertionError("never true: %s" % expression)
            time.sleep(0.02)

    def size(self, width, height, phone=False):
        self.send("Emulation.setDeviceMetricsOverride", {"width": width, "height": height,
                                                         "deviceScaleFactor": 2 if phone else 1, "mobile": phone})

    def colors(self, scheme):
        self.send("Emulation.setEmulatedMedia",
                  {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def type(self, text):
        self.send("Input.insertText", {"text": text})

    def press(self, key, shift=False):
        """Presses a key, as a keyboard does."""
        code, text = KEYS[key]
        event = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code,
                 "modifiers": 8 if shift else 0}
        self.send("Input.dispatchKeyEvent", {"type": "keyDown" if text else "rawKeyDown", "text": text, **event})
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def click(self, selector):
        """Clicks at the center of an element, which must be what the mouse hits there."""
        quoted = json.dumps(selector)
        place = self.js("""(() => { const e = document.querySelector(%s); if (!e) return null;
            e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();
            const x = r.x + r.width / 2, y = r.y + r.height / 2;
            return [x, y, e.contains(document.elementFromPoint(x, y))]; })()""" % quoted)
        if not place or not place[2]:
            raise AssertionError("cannot be clicked: %s (%s)" % (selector, place))
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", {"type": kind, "x": place[0], "y": place[1],
                                                   "button": "left", "clickCount": 1})

    def tree(self):
        """The accessibility tree: pairs of role and name of the nodes that are not ignored."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [(node.get("role", {}).get("value", ""), node.get("name", {}).get("value", ""))
                for node in nodes if not node.get("ignored")]

    def screenshot(self, path):
        data = self.send("Page.captureScreenshot", {"format": "png"})["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """What the browser has reported about the page: violations, errors, exceptions."""
        found = []
        for event in self.events:
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                details = event["params"]["exceptionDetails"]
                found.append(details.get("exception", {}).get("description") or details["text"])
        return found
