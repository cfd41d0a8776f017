# SPDX-License-Identifier: Apache-2.0
"""Helpers of the server's tests: starting a server, raw sockets, checks. Standard library only."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 120  # seconds; only what hangs takes so long
checks = 0
failures = 0


def check(good, what):
    """Counts a check."""
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print(f"not ok: {what}", flush=True)
    return good


def finish():
    print(f"{checks} checks, {failures} failed")
    sys.exit(1 if failures or not checks else 0)


def wait_until(condition, what):
    """Waits for a condition; the time limit fails only what hangs."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return check(False, f"in time: {what}")


class Server:
    """A server process. `lines` is what it has said."""

    def __init__(self, command, env=None, **more):
        self.lines = []
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})}, **more)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())

    def port(self, kind="listening"):
        """Waits for the line that names a port."""
        found = []

        def look():
            for line in list(self.lines):
                match = re.search(kind + r" on (?:http://)?\S*:(\d+)$", line)
                if match:
                    found.append(int(match.group(1)))
                    return True
            return self.process.poll() is not None
        wait_until(look, f"{kind} on")
        if not found:
            print("\n".join(self.lines))
            raise SystemExit("the server has not started")
        return found[0]

    def stop(self, number=signal.SIGTERM, expected=0):
        """Sends a signal, and checks the exit code and for reports of a sanitizer."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ends(expected)

    def ends(self, expected=0):
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return check(False, "the server ends")
        self.reader.join(PATIENCE)
        bad = [line for line in self.lines if "Sanitizer" in line or "runtime error" in line]
        good = code in ((expected,) if isinstance(expected, int) else expected) and not bad
        if not good:
            print("\n".join(self.lines[-40:]))
        return check(good, f"the server ends with {expected}, not {code}")


def fake(*options, **more):
    """The server with an API that only tests it."""
    return Server([os.environ["LFM2_FAKE_SERVER"], *options], **more)


def folder():
    return tempfile.TemporaryDirectory(prefix="lfm2-serve-")


def connect(port):
    if isinstance(port, str):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(PATIENCE)
        s.connect(port)
        return s
    s = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    return s


def read_all(s):
    """What arrives until the server ends the connection."""
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionResetError:
        return data


def exchange(port, data):
    """Sends bytes, and reads until the server ends the connection."""
    with connect(port) as s:
        s.sendall(data)
        return read_all(s)


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


def read_line(f):
    line = f.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the response ends early")
    return line[:-2]


def read_response(f, head=False):
    """Reads one response from the file of a socket."""
    status = int(read_line(f).split(b" ")[1])
    headers = {}
    for line in iter(lambda: read_line(f), b""):
        name, value = line.decode("latin-1").split(":", 1)
        headers[name.lower()] = value.strip()
    if status == 100:
        return read_response(f)
    body = b""
    if head or status == 204:
        pass
    elif "content-length" in headers:
        body = f.read(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while True:
            size = int(read_line(f), 16)
            body += f.read(size)
            read_line(f)
            if size == 0:
                break
    else:
        body = f.read()
    return Response(status, headers, body)


def request_bytes(path, method="GET", body=None, headers=(), host="localhost"):
    lines = [f"{method} {path} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
        if not any(h.lower().startswith("content-type") for h in headers):
            lines.append("Content-Type: application/json")
    lines += list(headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def ask(port, path, method="GET", body=None, headers=(), host="localhost"):
    """One request on a connection of its own."""
    with connect(port) as s, s.makefile("rb") as f:
        s.sendall(request_bytes(path, method, body, headers, host))
        return read_response(f, head=method == "HEAD")


def left(port):
    return ask(port, "/counts").json()["left"]
