# SPDX-License-Identifier: Apache-2.0
"""A server in front of `lfm2 serve` for the test of the chat page. It passes requests on, with the
headers of the response, except that answers can be scripted: those that no server gives when asked."""
import http.client
import http.server
import json
import threading
import time


def chunk(delta=None, finish=None, usage=None):
    """The data of one event of a streamed answer."""
    choices = [] if usage else [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
            "choices": choices, "usage": usage}


def words(text, finish="stop", size=4, reasoning=""):
    """The events of an answer with a text, in pieces."""
    chunks = [chunk({"role": "assistant", "content": ""})]
    for name, all_of_it in (("reasoning_content", reasoning), ("content", text)):
        chunks += [chunk({name: all_of_it[i:i + size]}) for i in range(0, len(all_of_it), size)]
    chunks.append(chunk(finish=finish))
    chunks.append(chunk(usage={"prompt_tokens": 1234, "completion_tokens": len(chunks), "total_tokens": 1234 + len(chunks),
                               "prompt_tokens_details": {"cached_tokens": 1200}}))
    return chunks


class Answer:
    """A scripted response: a status with a body, or events. `end`: "done", "cut" breaks the connection
    off, "hang" keeps it open until the client leaves."""

    def __init__(self, chunks=(), status=200, headers=(), body=None, pause=0.0, end="done"):
        self.chunks, self.status, self.headers, self.body = chunks, status, headers, body
        self.pause, self.end = pause, end
        self.left = threading.Event()  # the client has closed the connection


def error(status, message, code=None, headers=()):
    return Answer(status=status, headers=headers, body={"error": {"message": message, "type": "error",
                                                                 "param": None, "code": code}})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.handle_request(b"")

    def do_POST(self):
        self.handle_request(self.rfile.read(int(self.headers["Content-Length"])))

    def handle_request(self, body):
        front = self.server.front
        front.requests.append((self.path, dict(self.headers), json.loads(body) if body else None))
        script = front.scripts.get(self.path)
        try:
            if script:
                self.play(script.pop(0))
            else:
                front.pass_on(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, status, headers):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def play(self, answer):
        if answer.status != 200:
            data = json.dumps(answer.body).encode()
            self.head(answer.status, [("Content-Type", "application/json"), ("Content-Length", str(len(data))),
                                      *answer.headers])
            self.wfile.write(data)
            return
        self.head(200, [("Content-Type", "text/event-stream")])
        try:
            for item in answer.chunks:
                data = item if isinstance(item, bytes) else b"data: " + json.dumps(item).encode() + b"\n\n"
                self.wfile.write(data)
                time.sleep(answer.pause)
            while answer.end == "hang":
                self.wfile.write(b": still here\n\n")
                time.sleep(0.02)
            if answer.end == "done":
                self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            answer.left.set()


class Front:
    """The server; `scripts` has for a path the answers to come."""

    def __init__(self, port):
        self.upstream = port
        self.requests = []
        self.scripts = {}
        self.port = 0
        self.server = None
        self.start()

    def start(self):
        """Listens, after stop() on the same port again."""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.front = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def script(self, *answers, path="/v1/chat/completions"):
        self.scripts.setdefault(path, []).extend(answers)
        return answers[0]

    def sent(self, path="/v1/chat/completions"):
        """The bodies of the requests for a path."""
        return [body for where, _, body in self.requests if where == path]

    def pass_on(self, handler, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream)
        headers = {name: value for name, value in handler.headers.items()
                   if name.lower() in ("content-type", "authorization", "accept")}
        upstream.request(handler.command, handler.path, body or None, headers)
        response = upstream.getresponse()
        handler.head(response.status, [(name, value) for name, value in response.getheaders()
                                       if name.lower() not in ("connection", "transfer-encoding", "keep-alive")])
        while data := response.read1(65536):
            handler.wfile.write(data)
        upstream.close()
