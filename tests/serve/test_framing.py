# SPDX-License-Identifier: Apache-2.0
"""Requests that two parsers could understand differently are refused, before anything is done."""
from common import *

POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n"

# name, bytes, statuses that refuse it
HOSTILE = [
    ("two different lengths", POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400),
    ("two equal lengths", POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("a list of lengths", POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    ("a length with a sign", POST + b"Content-Length: +2\r\n\r\n{}", 400),
    ("a negative length", POST + b"Content-Length: -2\r\n\r\n{}", 400),
    ("a hexadecimal length", POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
    ("an empty length", POST + b"Content-Length: \r\n\r\n{}", 400),
    ("a huge length", POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}", 413),
    ("a length above the limit", POST + b"Content-Length: 8388609\r\n\r\n", 413),
    ("a length with a blank inside", POST + b"Content-Length: 1 1\r\n\r\n{}", 400),
    ("no length", POST + b"\r\n{}", 411),
    ("chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
    ("length and chunks",
     POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ("a chunk size with a prefix",
     POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 411),
    ("an unknown encoding", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 411),
    ("an encoding that is identity", POST + b"Transfer-Encoding: identity\r\n\r\n", 411),
    ("lines that end with LF", b"GET /echo HTTP/1.1\nHost: localhost\n\n", 400),
    ("a line that ends with LF", b"GET /echo HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400),
    ("a bare CR", GET + b"X: a\rb\r\n\r\n", 400),
    ("a blank before the colon", POST + b"Content-Length : 2\r\n\r\n{}", 400),
    ("a continued line", GET + b"X: a\r\n b\r\n\r\n", 400),
    ("a continued length", POST + b"Content-Length:\r\n 2\r\n\r\n{}", 400),
    ("no Host", b"GET /echo HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", GET + b"Host: example.com\r\n\r\n", 400),
    ("an empty Host", b"GET /echo HTTP/1.1\r\nHost: \r\n\r\n", 400),
    ("NUL in a field", GET + b"X: a\0b\r\n\r\n", 400),
    ("NUL in the target", b"GET /ec\0ho HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a control character", GET + b"X: a\x01b\r\n\r\n", 400),
    ("a field without a name", GET + b": x\r\n\r\n", 400),
    ("a field without a colon", GET + b"nonsense\r\n\r\n", 400),
    ("two blanks in the request line", b"GET  /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a tab in the request line", b"GET\t/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /echo\r\n\r\n", 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a version with more digits", b"GET /echo HTTP/1.10\r\nHost: localhost\r\n\r\n", 400),
    ("an empty line first", b"\r\nGET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a target with a host", b"GET http://localhost/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a target that is a host", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("an escape of NUL", b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a broken escape", b"GET /%4 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("bytes outside ASCII in the target", b"GET /\xC3\xA4 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("an unknown method", b"BREW /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    ("an expectation", POST + b"Content-Length: 2\r\nExpect: tea\r\n\r\n{}", 417),
    ("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(190), 400),
    ("a long field", GET + b"X: " + b"x" * 20000 + b"\r\n\r\n", 431),
    ("a long target", b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
    ("many fields", GET + b"X: y\r\n" * 200 + b"\r\n", 431),
]

server = fake()
port = server.port()

for name, data, status in HOSTILE:
    # A second request behind it must never be answered.
    got = exchange(port, data + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = got.split(b"\r\n\r\n")[0].lower()
    check(got.startswith(b"HTTP/1.1 %d " % status), f"{name}: {status}, not {got[:40]!r}")
    check(b"connection: close" in head, f"{name}: the connection ends")
    check(len(re.findall(rb"HTTP/1.1 \d\d\d", got)) == 1, f"{name}: one response")
    check(b"server:" not in head, f"{name}: no name of the server")

# One byte at a time changes nothing.
for name, data, status in HOSTILE[:24]:
    with connect(port) as s:
        try:
            for i in range(len(data)):
                s.sendall(data[i:i + 1])
        except OSError:
            pass
        got = read_all(s)
    check(got.startswith(b"HTTP/1.1 %d " % status), f"{name}, byte by byte: {status}")

# What is allowed: both cases of names, a blank or none after the colon, any order.
good = ask(port, "/echo?a=b%20c", "POST", b'{"x":1}')
check(good.status == 200 and good.json()["length"] == 7, "a request")
check(good.json()["query"] == "a=b%20c", "the query stays as it is")
check(good.headers["x-content-type-options"] == "nosniff", "nosniff")
check(good.headers["x-test"] == "yes", "headers of the API")
data = b"POST /ec%68o HTTP/1.1\r\ncontent-length:2\r\nHOST:\tlocalhost\r\ncontent-TYPE: application/json ; x=y\r\n\r\n{}"
with connect(port) as s, s.makefile("rb") as f:
    s.sendall(data * 3 + request_bytes("/health", "HEAD") + request_bytes("/none"))
    for i in range(3):
        check(read_response(f).json()["length"] == 2, f"pipelined request {i}")
    check(read_response(f, head=True).status == 200, "a pipelined HEAD")
    check(read_response(f).status == 404, "a pipelined request after HEAD")
got = exchange(port, b"GET /echo HTTP/1.0\r\nHost: localhost\r\n\r\n")
check(b"200 OK" in got and b"onnection: close" in got, "HTTP/1.0 ends the connection")
with connect(port) as s, s.makefile("rb") as f:
    for i in range(2):
        s.sendall(b"GET /echo HTTP/1.0\r\nHost: localhost\r\nConnection: Keep-Alive\r\n\r\n")
        check(read_response(f).status == 200, "HTTP/1.0 with keep-alive")
got = exchange(port, b"GET /stream?2,1 HTTP/1.0\r\nHost: localhost\r\n\r\n")
check(got.endswith(b"\r\n\r\n" + b"data: piece\n\n" * 2), "a stream of HTTP/1.0 has no chunks")
got = exchange(port, request_bytes("/echo", headers=["Connection: close"]))
check(got.count(b"HTTP/1.1 200") == 1, "Connection: close")
with connect(port) as s, s.makefile("rb") as f:
    s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    check(read_line(f) == b"HTTP/1.1 100 Continue", "100 Continue")
    read_line(f)
    s.sendall(b"{}")
    check(read_response(f).status == 200, "the request after 100 Continue")
server.stop()
finish()
