# SPDX-License-Identifier: Apache-2.0
"""Three servers behind HAProxy, configured as in tools/deploy: conversations stay where their prompts
are cached, and no request fails that begins after a server was killed or told to end."""
import re
import shutil

from common import *

HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
REPO = os.environ["LFM2_REPO"]
SAMPLED = bool(os.environ.get("LFM2_TEST_SAMPLE"))
TURNS = 4 if SAMPLED else 8  # of each conversation in each phase
CLIENTS = 4 if SAMPLED else 6
RULES = " ".join(f"Rule {i} is: add {i} to the sum." for i in range(12))

if not os.path.exists(HAPROXY):
    print("haproxy is not installed")
    sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Node:
    """A server of the fleet."""

    def __init__(self):
        self.server = Server([os.environ["LFM2_PROGRAM"], "serve", "-t", "1", "--port", "0", "--admin",
                              "127.0.0.1:0", "--agent", "127.0.0.1:0", "--parallel", "16",
                              "--drain-timeout", "600"])
        self.port = self.server.port()
        self.admin = self.server.port("admin")
        self.agent = self.server.port("agent")

    def generated(self):
        """Tokens that the server has generated."""
        text = ask(self.admin, "/metrics").body.decode()
        return int(float(re.search(r"^lfm2_generated_tokens_total (\S+)$", text, re.M).group(1)))


def configuration(nodes, port):
    """tools/deploy/haproxy.cfg with the addresses of this test."""
    with open(f"{REPO}/tools/deploy/haproxy.cfg", encoding="utf-8") as f:
        text = f.read()
    text = text.replace("bind :8080", f"bind 127.0.0.1:{port}")
    text = text.replace("bind 127.0.0.1:8404", f"bind 127.0.0.1:{free_port()}")
    for name, node in zip("abc", nodes):
        text, n = re.subn(rf"server {name} \S+", f"server {name} 127.0.0.1:{node.port} port "
                          f"{node.admin} agent-port {node.agent}", text)
        check(n == 1, f"the configuration has a server {name}")
    return text


class Client(threading.Thread):
    """A conversation: each turn repeats the ones before it."""

    def __init__(self, number, port):
        super().__init__(daemon=True)
        self.number = number
        self.port = port
        self.turns = []  # (start, status, share of the prompt that was cached)
        self.messages = [{"role": "system", "content": f"Client {number}. {RULES}"}]
        self.wanted = 0
        self.stopping = False

    def request(self):
        body = {"model": "any", "messages": self.messages, "max_tokens": 8, "temperature": 0}
        headers = []
        # Each of the keys that the configuration knows.
        if self.number % 4 == 0:
            headers.append(f"X-Session-Id: session-{self.number}")
        elif self.number % 4 == 1:
            headers.append(f"Cookie: other=1; lfm2_session=session-{self.number}")
        elif self.number % 4 == 2:
            body["prompt_cache_key"] = f"session-{self.number}"
        else:
            body["user"] = f"user-{self.number}"
        return ask(self.port, "/v1/chat/completions", "POST", json.dumps(body).encode(), headers)

    def turn(self):
        self.messages.append({"role": "user", "content": f"What is {len(self.messages)} plus 7?"})
        start = time.monotonic()
        try:
            got = self.request()
            share, answer = 0, ""
            if got.status == 200:
                usage = got.json()["usage"]
                share = usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"]
                answer = got.json()["choices"][0]["message"]["content"]
            self.turns.append((start, got.status, share))
        except (OSError, ValueError) as error:
            self.turns.append((start, str(error), 0))
            answer = ""
        self.messages.append({"role": "assistant", "content": answer})
        if len(self.messages) > 30:
            self.messages[1:] = []

    def run(self):
        while not self.stopping:
            if len(self.turns) < self.wanted:
                self.turn()
            else:
                time.sleep(0.005)


def more_turns(clients):
    """Lets each client have TURNS more turns."""
    for client in clients:
        client.wanted = len(client.turns) + TURNS
    wait_until(lambda: all(len(c.turns) >= c.wanted for c in clients), "the turns end")


class Stream(threading.Thread):
    """A long stream for one server. `text` is what arrived."""

    def __init__(self, port, key):
        super().__init__(daemon=True)
        self.port = port
        self.key = key
        self.text = b""
        self.start()

    def run(self):
        body = json.dumps({"model": "any", "prompt": "Count:", "n": 8, "ignore_eos": True,
                           "max_tokens": 300 if SAMPLED else 1500, "stream": True}).encode()
        with connect(self.port) as s:
            s.sendall(request_bytes("/v1/completions", "POST", body,
                                    [f"X-Session-Id: {self.key}", "Connection: close"]))
            try:
                while piece := s.recv(65536):
                    self.text += piece
            except OSError:
                pass


def stream_at(node, port):
    """Starts a stream at the server: tries keys until one leads there."""
    for i in range(100):
        key = f"stream-{node.port}-{i}"
        before = node.generated()
        body = json.dumps({"model": "any", "prompt": "Count:", "max_tokens": 1, "ignore_eos": True})
        ask(port, "/v1/completions", "POST", body.encode(), [f"X-Session-Id: {key}"])
        if node.generated() > before:
            stream = Stream(port, key)
            wait_until(lambda: b"data: " in stream.text, "the stream begins")
            return stream
    check(False, "a key leads to the server")
    return None


def failures_after(clients, moment):
    return [turn for client in clients for turn in client.turns
            if turn[1] != 200 and turn[0] > moment]


def hit_rate(clients):
    """Turns that found what the turn before had left, of all but the first ones."""
    later = [turn for client in clients for turn in client.turns[1:] if turn[1] == 200]
    return sum(turn[2] > 0.5 for turn in later) / len(later)


def test_fleet(work):
    nodes = [Node() for _ in "abc"]
    port = free_port()
    with open(f"{work}/haproxy.cfg", "w", encoding="utf-8") as f:
        f.write(configuration(nodes, port))
    proxy = Server([HAPROXY, "-db", "-f", f"{work}/haproxy.cfg"])
    wait_until(lambda: proxy.process.poll() is not None or can_ask(port), "the proxy answers")
    if proxy.process.poll() is not None:
        print("\n".join(proxy.lines))
        check(False, "the proxy starts")
        return

    clients = [Client(i, port) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    more_turns(clients)
    check(not failures_after(clients, 0), f"no request fails: {failures_after(clients, 0)}")
    for client in clients:
        check(hit_rate([client]) >= 0.9, f"the hit rate of client {client.number} is "
              f"{hit_rate([client]):.2f}")

    # One is killed in the middle of a stream.
    stream = stream_at(nodes[0], port)
    for client in clients:
        client.wanted += 1000
    nodes[0].server.process.kill()
    nodes[0].server.process.wait()
    killed = time.monotonic()
    more_turns(clients)
    stream.join(PATIENCE)
    check(b"[DONE]" not in stream.text, "the stream of the killed server breaks off")
    check(not failures_after(clients, killed), f"after the kill: {failures_after(clients, killed)}")

    # Another one is told to end: its stream is completed.
    stream = stream_at(nodes[1], port)
    for client in clients:
        client.wanted += 1000
    told = time.monotonic()
    nodes[1].server.process.send_signal(signal.SIGTERM)
    more_turns(clients)
    stream.join(PATIENCE)
    check(b"[DONE]" in stream.text, "the stream of the server that ends is complete")
    check(not failures_after(clients, told), f"after SIGTERM: {failures_after(clients, told)}")
    nodes[1].server.ends(0)
    more_turns(clients)
    check(not failures_after(clients, told), f"with one server: {failures_after(clients, told)}")
    check(hit_rate(clients) >= 0.9, f"the hit rate is {hit_rate(clients):.2f} in the end")
    print(f"{sum(len(c.turns) for c in clients)} turns, hit rate {hit_rate(clients):.3f}")

    for client in clients:
        client.stopping = True
    for client in clients:
        client.join(PATIENCE)
    nodes[2].server.stop()
    proxy.stop(expected=(0, 130, 143, -15))


def can_ask(port):
    try:
        return ask(port, "/v1/models").status == 200
    except OSError:
        return False


with folder() as work_folder:
    test_fleet(work_folder)
finish()
