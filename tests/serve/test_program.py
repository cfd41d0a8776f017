# SPDX-License-Identifier: Apache-2.0
"""`lfm2 serve` with the demo model: its options, the way of a request through all layers, the end."""
import contextlib

from common import *

program, model = os.environ["LFM2_PROGRAM"], os.environ["LFM2_DEMO_MODEL"]


def serve(*options, **more):
    return Server([program, "serve", "-m", model, "--port", "0", "-t", "2", *options], **more)


def refused(what, *options, code=1):
    done = subprocess.run([program, "serve", *options], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE, check=False)
    text = done.stderr.decode()
    if not check(done.returncode == code and what in text, f"{options}: {what}"):
        print(done.returncode, text)


def chat(port, content, **more):
    body = json.dumps({"messages": [{"role": "user", "content": content}], "temperature": 0, **more})
    return ask(port, "/v1/chat/completions", "POST", body.encode())


# Nothing is loaded before the options and the address are checked.
refused("--api-key-file", "--host", "0.0.0.0", "--port", "0", "-m", model)
refused("No such file", "--api-key-file", "/nonexistent/keys", "-m", model)
refused("HOST:PORT", "--admin", "8081", "-m", model)
refused("no such model file", "-m", "/nonexistent/model.gguf")
refused("--admin", "--metrics", code=2)
refused("chat template of the model", "--chat-template", "chatml", code=2)
refused("a proxy in front", "--ssl-key-file", "x", code=2)
refused("allowed: 0 to 65535", "--port", "65536", code=2)
refused("option --max-queue is 0", "--max-queue", "0", code=2)

# Bodies whose values take much more memory than their text: together they have a bound.
server = serve("--max-body", "1", "--no-prefix-cache")
port = server.port()
large = (b'{"messages":[{"role":"user","content":"Hi"}],"ignore_eos":true,"max_tokens":100000,"stream":true,'
         b'"metadata":[' + b",".join([b"1"] * 500000) + b"]}")
with contextlib.ExitStack() as open_ones:
    first = []
    for i in range(6):
        s = open_ones.enter_context(connect(port))
        s.sendall(request_bytes("/v1/chat/completions", "POST", large))
        first.append(s.recv(1000))
    good = sum(b" 200 OK" in text for text in first)
    full = [text for text in first if b" 503 " in text and b"Retry-After" in text]
    check(1 <= good < 6 and good + len(full) == 6, "requests beyond the bound get 503")
    check(chat(port, "Hi", max_tokens=1).status == 200, "a small one is answered")
wait_until(lambda: chat(port, "Hi", max_tokens=1, metadata=[1] * 300000).status == 200,
           "when the clients have left, there is memory again")
server.stop()

# The options of llama-server are accepted.
with folder() as work:
    with open(f"{work}/keys", "w", encoding="utf-8") as f:
        f.write("team:secret\n")
    server = serve("--alias", "tiny", "--admin", "127.0.0.1:0", "--log", f"{work}/log", "-c", "2048",
                   "-np", "4", "-cb", "--jinja", "-ngl", "99", "--no-webui", "--api-key-file",
                   f"{work}/keys", "--session-folder", work, "--threads-http", "4")
    port, admin = server.port(), server.port("admin")
    check(chat(port, "Hi").status == 401, "a key is required")
    got = ask(port, "/v1/models", headers=["Authorization: Bearer secret"]).json()
    check([m["id"] for m in got["data"]] == ["tiny"], "the alias is the name of the model")
    got = ask(port, "/v1/chat/completions", "POST",
              b'{"model":"other","messages":[{"role":"user","content":"Hi"}]}', ["X-Api-Key: secret"])
    check(got.status == 404, "with an alias other names are refused")
    check(ask(port, "/", headers=["X-Api-Key: secret"]).status == 404, "--no-webui")
    server.stop()
    with open(f"{work}/log", encoding="utf-8") as f:
        check([json.loads(line)["key"] for line in f] == ["", "team", "team", "team"], "the log")

server = serve("--admin", "127.0.0.1:0", "--step-ms", "50", "--unix", "/nonexistent/socket")
server.ends(1)
server = serve("--admin", "127.0.0.1:0")
port, admin = server.port(), server.port("admin")
first = chat(port, "What is 127 + 48?")
check("175" in first.json()["choices"][0]["message"]["content"], "an answer")
check(chat(port, "What is 127 + 48?").json()["usage"]["prompt_tokens_details"]["cached_tokens"] > 0,
      "the second time the prompt is cached")
check(ask(port, "/").headers["content-type"].startswith("text/html"), "the page")

# A stream that the client leaves: its work ends.
with connect(port) as s:
    body = json.dumps({"messages": [{"role": "user", "content": "Count to a million."}], "stream": True,
                       "max_tokens": 100000, "ignore_eos": True}).encode()
    s.sendall(request_bytes("/v1/chat/completions", "POST", body))
    wait_until(lambda: b"data: " in s.recv(65536), "the stream")


def metric(name):
    text = ask(admin, "/metrics").body.decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


wait_until(lambda: metric("lfm2_requests_running") == 0, "the work of a client that left ends")
check(metric("lfm2_http_disconnects_total") == 1, "the metrics count it")
wait_until(lambda: metric('lfm2_requests_total{outcome="cancelled"}') == 1, "as the engine does")
check(metric("lfm2_time_to_first_token_seconds_count") >= 2, "histograms")
check(metric("lfm2_kv_budget_bytes") > 0, "memory")

# Hostile JSON is refused and the server goes on.
for body in [b"", b"[]", b"{", b"[" * 100_000, b'{"messages":' + b"[" * 100_000, b"\xff\xfe", b"null",
             b'{"messages":[{"role":"user","content":"\\ud800"}]}']:
    check(ask(port, "/v1/chat/completions", "POST", body).status in (400, 200), f"{body[:20]} is refused")

# SIGTERM while answers are generated: they are complete.
answers = []
threads = [threading.Thread(target=lambda: answers.append(chat(port, "Tell me a story.", max_tokens=200)))
           for i in range(4)]
for t in threads:
    t.start()
wait_until(lambda: metric("lfm2_http_requests") > 0 or len(answers) == 4, "the requests run")
server.process.send_signal(signal.SIGTERM)
for t in threads:
    t.join()
check(all(a.status in (200, 503) for a in answers) and any(a.status == 200 for a in answers),
      "requests in progress are answered")
server.ends(0)
finish()
