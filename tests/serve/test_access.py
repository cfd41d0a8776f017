# SPDX-License-Identifier: Apache-2.0
"""Who may use the server: Host, Origin, media type, keys, addresses, UNIX socket."""
from common import *

server = fake("allow=chat.example.com")
port = server.port()


def status(host="localhost", headers=(), **more):
    return ask(port, "/echo", headers=headers, host=host, **more).status


# Names by which the server may be called.
for host in ["localhost", f"localhost:{port}", "LOCALHOST", "127.0.0.1", "127.8.9.1:1", "[::1]",
             "[::1]:99", "localhost:", "chat.example.com", "Chat.Example.com:443"]:
    check(status(host) == 200, f"Host {host} is allowed")
for host in ["example.com", "localhost.example.com", "example.com:80", "8.8.8.8", "127.0.0.1.nip.io",
             "[::2]", "[::1", "::1", "localhost:x", "localhost:123456", "127.1",
             "localhost@example.com", "localhost/", "user@localhost", "2130706433", "localhost."]:
    check(status(host) in (400, 403), f"Host {host} is refused")
check(ask(port, "/health", host="example.com").status == 403, "health checks Host too")
check(ask(port, "/", host="example.com").status == 403, "so does the page")

# Pages of other origins.
check(status(headers=["Origin: http://localhost"]) == 200, "the own origin")
check(status("localhost:8080", ["Origin: http://localhost:8080"]) == 200, "with a port")
check(status("chat.example.com", ["Origin: https://chat.example.com"]) == 200, "behind a proxy")
for origin in ["http://example.com", "null", "http://localhost:3000", "https://localhost.example.com",
               "http://localhost@example.com", "file://", "localhost", "http://"]:
    got = ask(port, "/echo", headers=[f"Origin: {origin}"])
    check(got.status == 403, f"Origin {origin} is refused")
    check(not any(h.startswith("access-control") for h in got.headers), "no CORS")
check(ask(port, "/echo", "OPTIONS").status == 405, "no preflight")

# The media type.
for kind, expected in [("application/json", 200), ("Application/JSON; charset=utf-8", 200),
                       ("application/json;charset=utf-8", 200), ("text/plain", 415),
                       ("application/x-www-form-urlencoded", 415), ("application/jsonx", 415),
                       ("application/json-seq", 415), ("", 415)]:
    got = ask(port, "/echo", "POST", b"{}", [f"Content-Type: {kind}"])
    check(got.status == expected, f"Content-Type '{kind}': {expected}, not {got.status}")
got = exchange(port, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
check(b" 415 " in got, "no Content-Type")
check(ask(port, "/echo", "POST", b"", ["Content-Type: "]).status == 200, "an empty body has no type")

# The page has a strict policy.
got = ask(port, "/")
policy = got.headers["content-security-policy"]
check(got.status == 200 and got.headers["content-type"].startswith("text/html"), "the page")
check("default-src 'none'" in policy and "unsafe" not in policy, "its policy")
check(ask(port, "/", "HEAD").body == b"", "HEAD of the page")
server.stop()

# Keys.
with folder() as work:
    keys = os.path.join(work, "keys")

    def write(text):
        with open(keys, "w", encoding="utf-8") as f:
            f.write(text)

    write("# comment\n\nsecret-one\nalice:secret-two\n")
    server = fake(f"keys={keys}", f"log={work}/log")
    port = server.port()

    def with_key(*headers, path="/echo"):
        return ask(port, path, headers=headers)

    got = with_key()
    check(got.status == 401, "no key")
    check(got.json()["error"]["code"] == "invalid_api_key", "OpenAI's code")
    check(got.headers["www-authenticate"] == "Bearer", "how to authenticate")
    check(ask(port, "/v1/messages", "POST", b"{}").json()["error"]["type"] == "authentication_error",
          "Anthropic's error")
    check(isinstance(ask(port, "/api/chat", "POST", b"{}").json()["error"], str), "Ollama's error")
    for header in ["Authorization: Bearer wrong", "Authorization: Bearer ", "Authorization: Bearer",
                   "Authorization: secret-one", "Authorization: Basic secret-one", "X-Api-Key: x",
                   "Authorization: Bearer secret-on", "Authorization: Bearer secret-onee",
                   "Authorization: Bearer secret-one ,", "X-Api-Key: alice:secret-two",
                   "X-Api-Key: key-1"]:
        check(with_key(header).status == 401, f"{header} is refused")
    one = with_key("Authorization: Bearer secret-one")
    two = with_key("authorization: bearer  secret-two")
    check(one.status == 200 and two.status == 200, "Authorization")
    check(with_key("x-api-key: secret-two").json() == two.json(), "X-Api-Key")
    check(with_key("Authorization: Bearer wrong", "X-Api-Key: secret-two").status == 200, "one of both")
    check(0 != one.json()["owner"] != two.json()["owner"] != 0, "each key is an owner")
    check(one.json()["scope"] == one.json()["owner"], "cached prefixes are of the key")
    check(with_key(path="/").status == 200 and with_key(path="/health").status == 200,
          "page and health need no key")
    # A body without a key is not read: the answer comes before it.
    with connect(port) as s, s.makefile("rb") as f:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n"
                  b"Content-Type: application/json\r\n\r\n")
        check(read_response(f).status == 401, "401 before the body")
    # SIGHUP reads the file again; a broken file changes nothing.
    write("alice:secret-three\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: with_key("X-Api-Key: secret-three").status == 200, "the new key is valid")
    check(with_key("X-Api-Key: secret-two").status == 401, "the old one is not")
    check(with_key("X-Api-Key: secret-three").json()["owner"] == two.json()["owner"],
          "the name is the owner")
    write("has blanks\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("line 1" in line for line in server.lines), "a message about the file")
    check(with_key("X-Api-Key: secret-three").status == 200, "the keys stay")
    server.stop()
    with open(f"{work}/log", encoding="utf-8") as f:
        text = f.read()
    entries = [json.loads(line) for line in text.splitlines()]
    check(all(e["status"] in (200, 401) for e in entries), "the log has every status")
    check({e["key"] for e in entries} == {"", "key-1", "alice"}, "the log names the keys")
    check("secret" not in text, "the log has no key")

    server = fake(f"keys={keys}")
    server.ends(1)
    write("alice:secret-three\n")
    server = fake(f"keys={keys}", "shared_cache=1", "host=0.0.0.0")
    port = server.port()
    check(with_key("X-Api-Key: secret-three").json()["scope"] == 0, "a shared cache")
    check(ask(port, "/health", host="0.0.0.0").status == 200, "the name that was given")
    server.stop()

    # Beyond loopback only with keys.
    server = fake("host=0.0.0.0")
    server.ends(1)
    check("--api-key-file" in "".join(server.lines), "the message says what to do")
    server = fake("host=0.0.0.0", "no_auth=1")
    port = server.port()
    check(ask(port, "/echo").status == 200, "without keys if that is wanted")
    server.stop()

    # A UNIX socket: only its owner may connect; one that was left behind is replaced.
    path = f"{work}/socket"
    for i in range(2):
        server = fake("host=", f"unix={path}")
        wait_until(lambda: any("unix:" in line for line in server.lines), "the UNIX socket")
        check(os.stat(path).st_mode & 0o777 == 0o600, "the mode of the socket")
        check(ask(path, "/echo").status == 200, "a request over the UNIX socket")
        other = fake("host=", f"unix={path}")
        other.ends(1)
        check(ask(path, "/echo").status == 200, "a second server does not take the socket away")
        if i == 0:
            server.stop(signal.SIGKILL, -9)
        else:
            server.stop()
            check(not os.path.exists(path), "the socket is removed")
    write("x")
    server = fake("host=", f"unix={keys}")
    server.ends(1)
    check(os.path.exists(keys), "a file is not replaced")
finish()
