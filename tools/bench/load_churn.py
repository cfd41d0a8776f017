# SPDX-License-Identifier: Apache-2.0
"""The scenario `churn` of load.py: clients that cancel, leave, and send what no client should."""
import asyncio
import collections
import json
import time

from load_http import get, read_body, read_head, request

BAD_BODIES = (b"{", b"[]", b"null", b"\xff\xfe", b'{"prompt":5}', b'{"messages":"x"}', b'{"prompt":"x","max_tokens":-5}',
              b'{"prompt":"x","temperature":"hot"}', b"[" * 5000, b'{"prompt":"x","stop":[1]}', b'"' + b"\\u0000" * 500,
              b'{"messages":[{"role":"robot","content":"x"}]}', b'{"prompt":"x","n":1000000}', b"")


def memory(pid):
    """Resident bytes of a process that belong to it alone or are shared; 0 without a process."""
    if not pid:
        return 0
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


class Churn:
    def __init__(self, target, options, rng):
        self.target, self.options, self.rng = target, options, rng
        self.done = collections.Counter()
        self.statuses = collections.Counter()
        self.wrong = collections.Counter()
        self.memory = []

    def small(self, tokens, stream=True):
        text = self.target.text(self.rng, self.rng.choice((5, 20, 100, 400)) * self.options.scale)
        return self.target.body(text, tokens, stream, seed=self.rng.getrandbits(31))

    async def whole(self):
        """A request that is answered. A busy server may refuse it."""
        sample = await request(self.target, self.small(self.rng.choice((1, 4, 16)), self.rng.random() < 0.7))
        self.statuses[sample.status] += 1
        if sample.error and sample.status not in (429, 503):
            self.wrong["answer: " + sample.error[:100]] += 1

    async def send(self, data, how_much=1.0):
        reader, writer = await self.target.connect()
        writer.write(data[:int(len(data) * how_much)])
        await writer.drain()
        return reader, writer

    async def cancel(self):
        """Leaves after some bytes of the answer, or none."""
        data = json.dumps(self.small(200)).encode()
        reader, writer = await self.send(self.target.head("POST", "/v1/completions" if not self.target.chat else
                                                          "/v1/chat/completions", len(data)) + data)
        try:
            async with asyncio.timeout(self.rng.choice((0.001, 0.02, 0.1, 0.5))):
                await reader.readexactly(self.rng.choice((1, 300, 3000)))
        except (TimeoutError, EOFError):
            pass
        if self.rng.random() < 0.3:
            writer.transport.abort()
        writer.close()

    async def half(self):
        """Leaves in the middle of the request."""
        data = json.dumps(self.small(8)).encode()
        data = self.target.head("POST", "/v1/completions", len(data)) + data
        _, writer = await self.send(data, self.rng.random())
        await asyncio.sleep(self.rng.choice((0, 0.01, 0.1)))
        writer.close()

    async def nonsense(self):
        """A request that must be refused, with an error in JSON."""
        body = self.rng.choice(BAD_BODIES)
        path = self.rng.choice(("/v1/completions", "/v1/chat/completions", "/v1/nothing", "/v1/models/none"))
        method = self.rng.choice(("POST", "POST", "POST", "DELETE", "PATCH"))
        await self.refused(self.target.head(method, path, len(body)) + body)

    async def framing(self):
        """A request whose framing is wrong."""
        host = "Host: %s:%d\r\n" % (self.target.host, self.target.port)
        line = "POST /v1/completions HTTP/1.1\r\n"
        heads = (line + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", line + "Content-Length: 1\r\n\r\nx",
                 line + host + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "\0" * 100 + "\r\n\r\n",
                 line + host + "X: " + "y" * 40000 + "\r\n\r\n", "GARBAGE\r\n\r\n",
                 line + host + "Content-Length: 99999999999\r\n\r\n")
        await self.refused(self.rng.choice(heads).encode(), False)

    async def refused(self, data, needs_json=True):
        reader, writer = await self.send(data)
        try:
            async with asyncio.timeout(60):
                status, headers = await read_head(reader)
                body = b"".join([piece async for piece in read_body(reader, headers)])
            self.statuses[status] += 1
            if not 400 <= status < 600 or status == 500:
                self.wrong["status %d for %r" % (status, data[:80])] += 1
            elif needs_json and "error" not in json.loads(body):
                self.wrong["no error in the body of %d" % status] += 1
        except (TimeoutError, ValueError) as problem:
            self.wrong["%s after %r" % (type(problem).__name__, data[:80])] += 1
        except (OSError, EOFError):
            if needs_json:
                self.wrong["closed without a response"] += 1
        finally:
            writer.close()

    async def client(self, end):
        actions = (self.whole, self.whole, self.whole, self.cancel, self.cancel, self.half, self.nonsense, self.framing)
        while time.perf_counter() < end:
            action = self.rng.choice(actions)
            try:
                await action()
                self.done[action.__name__] += 1
            except OSError as problem:
                self.wrong["%s: %s" % (action.__name__, type(problem).__name__)] += 1
                await asyncio.sleep(0.05)

    async def watch(self, start):
        while True:
            self.memory.append((time.perf_counter() - start, memory(self.options.pid)))
            await asyncio.sleep(0.5)


async def run(target, options, rng):
    churn = Churn(target, options, rng)
    start = time.perf_counter()
    end = start + (options.seconds or 60)
    watcher = asyncio.ensure_future(churn.watch(start))
    await asyncio.gather(*[churn.client(end) for _ in range(options.clients)])
    watcher.cancel()
    last = await request(target, target.body(target.text(rng, 10), 4))
    healthy = (await get(target, "/v1/models"))[0] == 200
    # The first fifth fills pools and caches.
    settled = [size for at, size in churn.memory if at > 0.2 * (end - start)] or [0]
    sizes = len(settled)
    third = max(1, sizes // 3)
    return {"seconds": time.perf_counter() - start, "actions": dict(churn.done), "statuses": dict(churn.statuses),
            "wrong": dict(churn.wrong), "answers_at_the_end": healthy and not last.error,
            "rss_mb_start": settled[0] / 1e6, "rss_mb_end": settled[-1] / 1e6,
            "rss_mb_growth": (sum(settled[-third:]) - sum(settled[:third])) / third / 1e6,
            "errors": sum(churn.wrong.values()) + (0 if healthy and not last.error else 1)}
