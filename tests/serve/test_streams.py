# SPDX-License-Identifier: Apache-2.0
"""Streams: chunks, clients that leave, clients that do not read, bodies of all sizes."""
from common import *

server = fake("write_seconds=2")
port = server.port()

got = ask(port, "/stream?5,1")
check(got.body == b"data: piece\n\n" * 5, "all pieces")
check(got.headers["content-type"] == "text/event-stream", "the type of the stream")
check(got.headers["cache-control"] == "no-cache", "streams are not cached")
with connect(port) as s, s.makefile("rb") as f:
    for i in range(3):
        s.sendall(request_bytes("/stream?2,1"))
        check(read_response(f).body == b"data: piece\n\n" * 2, "a stream on a connection that stays")

# Pieces arrive when they are written.
with connect(port) as s, s.makefile("rb") as f:
    s.sendall(request_bytes("/stream?1000,30"))
    while read_line(f):
        pass
    check(int(read_line(f), 16) % 13 == 0 and f.read(13) == b"data: piece\n\n", "the first piece")

# Clients that leave: the API is told, once each, and nothing stays.
for i in range(30):
    s = connect(port)
    s.sendall(request_bytes(f"/stream?100000,{1 + i % 7}"))
    if i % 3:
        s.recv(100)
    if i % 2:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()
wait_until(lambda: left(port) == 31, "the API learns of every client that left")
wait_until(lambda: ask(port, "/counts").json()["active"] == 0, "no work is left")
# One that leaves while its work cannot be stopped.
for i in range(10):
    with connect(port) as s:
        s.sendall(request_bytes("/late?50"))
check(ask(port, "/late?100").body == b"late", "a late response")
wait_until(lambda: ask(port, "/counts").json()["active"] == 0, "work that cannot be stopped ends")

# A client that does not read: the stream is cut when 1 MiB waits.
with connect(port) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    before = left(port)
    s.sendall(request_bytes("/flood"))
    wait_until(lambda: left(port) == before + 1, "the flood is cut")
# One that asks again and again without reading gets no more than it takes.
with connect(port) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(0.2)
    sent = 0
    try:
        while sent < 50_000_000:
            sent += s.send(request_bytes("/") * 100)
    except OSError:
        pass
    check(sent < 20_000_000, "requests are not read while responses wait")
    s.settimeout(PATIENCE)

# Requests that wait behind one that runs are limited.
with connect(port) as s:
    s.sendall(request_bytes("/stream?100000,50"))
    try:
        s.sendall(request_bytes("/health") * 5000)
        read_all(s)
    except OSError:
        pass
    check(True, "a client that floods a running request is cut")

# Bodies: sums as here, in pieces of all sizes.
for n in [0, 1, 4095, 4096, 4097, 100_000, 8 * 1024 * 1024]:
    body = bytes(i * 7 % 251 for i in range(min(n, 5000))) * (n // 5000 + 1)
    body = body[:n]
    expected = 0
    if n <= 100_000:
        for b in body:
            expected = (expected * 31 + b) % 2**32
    with connect(port) as s, s.makefile("rb") as f:
        data = request_bytes("/echo", "POST", body)
        step = max(1, n // 3)
        for i in range(0, len(data), step):
            s.sendall(data[i:i + step])
        got = read_response(f).json()
    check(got["length"] == n, f"a body of {n} bytes")
    check(n > 100_000 or got["sum"] == expected, f"the bytes of a body of {n}")
got = exchange(port, request_bytes("/echo", "POST", b"x" * (8 * 1024 * 1024 + 1)))
check(got.startswith(b"HTTP/1.1 413 "), "a body above the limit gets its answer")
# A client that leaves within a body leaves nothing.
for i in range(20):
    with connect(port) as s:
        s.sendall(request_bytes("/echo", "POST", b"x" * 100_000)[:50_000])
check(ask(port, "/echo").status == 200, "bodies that end early")
server.stop()
finish()
