# SPDX-License-Identifier: Apache-2.0
"""How a server ends and what the service manager sees: signals, sockets that it passes, messages."""
from common import *

# SIGTERM: requests in progress are answered, new ones get 503.
with folder() as work:
    server = fake("admin=127.0.0.1:0", "agent=127.0.0.1:0", f"log={work}/log")
    port, admin, agent = server.port(), server.port("admin"), server.port("agent")
    with connect(port) as s, connect(port) as idle, s.makefile("rb") as f, idle.makefile("rb") as g:
        s.sendall(request_bytes("/stream?40,20"))
        idle.sendall(request_bytes("/echo"))
        check(read_response(g).status == 200, "a request on the connection that stays")
        wait_until(lambda: ask(port, "/counts").json()["active"] == 1, "the stream runs")
        check(ask(admin, "/health/ready").status == 200, "ready")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: ask(admin, "/health/ready").status == 503, "not ready any more")
        check(ask(admin, "/health/live").status == 200, "live")
        check(read_all(connect(agent)) == b"drain\n", "the agent says drain")
        got = ask(port, "/echo")
        check(got.status == 503 and "retry-after" in got.headers, "a new request gets 503")
        check(got.json()["error"]["code"] == "shutting_down", "and a reason")
        check(ask(port, "/health").status == 503, "health says so")
        idle.sendall(request_bytes("/echo"))
        got = read_response(g)
        check(got.status == 503 and got.headers["connection"] == "close", "so does the connection")
        check(len(read_response(f).body) == 40 * 13, "the stream is complete")
    server.ends(0)
    with open(f"{work}/log", encoding="utf-8") as f:
        entries = [json.loads(line) for line in f]
    check([e for e in entries if e["path"] == "/stream" and e["status"] == 200 and
           not e["disconnected"] and e["prompt_tokens"] == 7 and e["finish"] == "stop"],
          "the log has the stream")
    check(not any("?" in e["path"] for e in entries), "the log has no queries")

# What does not end in time is cut.
server = fake("drain_seconds=0.3")
port = server.port()
with connect(port) as s, connect(port) as late:
    s.sendall(request_bytes("/stream?100000,20"))
    late.sendall(request_bytes("/late?800"))
    wait_until(lambda: ask(port, "/counts").json()["active"] == 2, "the requests run")
    server.process.send_signal(signal.SIGINT)
    check(b"200 OK" in read_all(s), "the stream is cut")
    server.ends(1)

# A second signal ends at once.
server = fake()
port = server.port()
with connect(port) as s:
    s.sendall(request_bytes("/stream?100000,20"))
    wait_until(lambda: ask(port, "/counts").json()["active"] == 1, "the stream runs")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: any("shutting down" in line for line in server.lines), "the message")
    server.stop(signal.SIGTERM, 1)

# Idle connections and incomplete requests do not delay the end.
server = fake()
port = server.port()
with connect(port) as s, connect(port) as half:
    half.sendall(b"GET / HTTP/1.1\r\n")
    server.stop()

# The service manager: a socket that it passes, its names, and messages to it.
with folder() as work, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(f"{work}/notify")
    manager.settimeout(PATIENCE)
    passed = [socket.create_server(("127.0.0.1", 0)) for i in range(2)]
    ports = [s.getsockname()[1] for s in passed]
    script = ('import os, sys; a, b = int(sys.argv[1]), int(sys.argv[2]); '
              'a, b = os.dup(a), os.dup(b); x, y = os.dup2(a, 60), os.dup2(b, 61); '
              'os.dup2(x, 3); os.dup2(y, 4); '
              'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", '
              'LISTEN_FDNAMES="lfm2.socket:admin"); os.execv(sys.argv[3], sys.argv[3:])')
    server = Server([sys.executable, "-c", script, *(str(s.fileno()) for s in passed),
                     os.environ["LFM2_FAKE_SERVER"]], {"NOTIFY_SOCKET": f"{work}/notify"},
                    pass_fds=[s.fileno() for s in passed])
    for s in passed:
        s.close()
    check(manager.recv(100) == b"READY=1", "READY=1")
    check(ask(ports[0], "/echo").status == 200, "the first socket is the server")
    check(ask(ports[1], "/health/ready").status == 200, "the one named admin is the admin")
    check(ask(ports[0], "/metrics").status == 404, "the server itself has no metrics")
    server.stop()
    check(manager.recv(100) == b"STOPPING=1", "STOPPING=1")
    # Sockets for another process are not used.
    server = fake(env={"LISTEN_PID": "1", "LISTEN_FDS": "2"})
    check(ask(server.port(), "/echo").status == 200, "sockets of another process")
    server.stop()

# A port that is in use.
with socket.create_server(("127.0.0.1", 0)) as taken:
    server = fake(f"port={taken.getsockname()[1]}")
    server.ends(1)
    check("in use" in "".join(server.lines), "the message names the reason")
server = fake("log=/nonexistent/log")
server.ends(1)
finish()
