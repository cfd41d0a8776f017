# SPDX-License-Identifier: Apache-2.0
"""Time limits and numbers of connections."""
from common import *

# Deadlines, short ones here: the total time counts, not the time since the last byte.
server = fake("header_seconds=1", "body_seconds=1", "idle_seconds=1")
port = server.port()


def drip(first, piece):
    """Sends a piece every 50 ms until the server ends; returns what it says, and how long it took."""
    start = time.monotonic()
    with connect(port) as s:
        s.sendall(first)
        s.settimeout(0.05)
        data = b""
        while time.monotonic() - start < PATIENCE:
            try:
                got = s.recv(65536)
                if not got:
                    break
                data += got
            except socket.timeout:
                try:
                    s.sendall(piece)
                except OSError:
                    break
            except OSError:
                break
        return data, time.monotonic() - start


data, seconds = drip(b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n")
check(data.startswith(b"HTTP/1.1 408 ") and seconds >= 0.9, "a slow head gets 408")
data, seconds = drip(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                     b"Content-Type: application/json\r\n\r\n", b"x")
check(data.startswith(b"HTTP/1.1 408 ") and seconds >= 0.9, "a slow body gets 408")
with connect(port) as s:
    check(read_all(s) == b"", "a connection without a request ends without a response")
with connect(port) as s, s.makefile("rb") as f:
    s.sendall(request_bytes("/echo"))
    check(read_response(f).status == 200, "a request")
    check(f.read() == b"", "the idle connection ends")
check(len(ask(port, "/stream?15,100").body) == 15 * 13, "a stream may take longer than all of these")
server.stop()

# Numbers of connections.
server = fake("max_connections=10", "admin=127.0.0.1:0")
port, admin = server.port(), server.port("admin")
held = [connect(port) for i in range(10)]
got = read_all(connect(port))
check(got.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in got, "one connection too many gets 503")
check(ask(admin, "/health/live").status == 200, "a full server is alive")
held[0].sendall(request_bytes("/echo"))
check(b" 200 OK" in held[0].recv(1000), "the others are served")
for s in held:
    s.close()
wait_until(lambda: exchange(port, request_bytes("/echo", headers=["Connection: close"]))
           .startswith(b"HTTP/1.1 200"), "closed connections make room")
server.stop()

server = fake("max_per_client=3")
port = server.port()
held = [connect(port) for i in range(3)]
got = read_all(connect(port))
check(got.startswith(b"HTTP/1.1 429 ") and b"Retry-After" in got, "an address has a limit")
held.pop().close()
wait_until(lambda: exchange(port, request_bytes("/echo", headers=["Connection: close"]))
           .startswith(b"HTTP/1.1 200"), "a closed connection does not count")
server.stop()

# Too few descriptors: fewer connections, and a message.
for descriptors, most in ((500, 308), (64, 32)):
    server = Server(["bash", "-c", f"ulimit -n {descriptors}; exec \"$0\" \"$@\"",
                     os.environ["LFM2_FAKE_SERVER"]])
    port = server.port()
    check(any(f"{most} connections" in line for line in server.lines), "the limit of open files is known")
    held = [connect(port) for i in range(400)]
    for s in held:
        s.close()
    wait_until(lambda: exchange(port, request_bytes("/echo", headers=["Connection: close"]))
               .startswith(b"HTTP/1.1 200"), "the server goes on")
    server.stop()
finish()
