# SPDX-License-Identifier: Apache-2.0
"""Requests of the load client: HTTP and server-sent events over asyncio, and what is measured of each."""
import asyncio
import json
import random
import time

# Words of one or two tokens in most vocabularies, for prompts that no cache has seen.
WORDS = """time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point home water
room mother area money story fact month lot right study book eye job word business issue side kind head house
service friend father power hour game line end member law car city community name president team minute idea body
information back parent face level office door health person art war history party result change morning reason
research girl guy moment air teacher force education foot boy age policy music market sense nation plan college
interest death experience effect use class control field development role effort rate heart drug show leader
light voice wife police mind price report decision son view relationship town road arm difference value building
action season society tax director position player record paper space ground form event official matter center
couple site project star table need court oil situation cost industry figure street image phone data picture
practice piece land product doctor wall patient worker news test movie north love step""".split()


class Target:
    """Where the server is, and how requests for it look."""

    def __init__(self, url, unix=None, key=None, model=None, chat=False):
        rest = url.split("://", 1)[-1].split("/", 1)[0]
        self.host, _, port = rest.partition(":")
        self.port = int(port or 80)
        self.unix, self.key, self.model, self.chat = unix, key, model, chat
        self.tokens_per_word = 1.0

    async def connect(self):
        if self.unix:
            return await asyncio.open_unix_connection(self.unix, limit=1 << 20)
        return await asyncio.open_connection(self.host, self.port, limit=1 << 20)

    def head(self, method, path, length, more=""):
        key = "Authorization: Bearer %s\r\n" % self.key if self.key else ""
        return ("%s %s HTTP/1.1\r\nHost: %s:%d\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n"
                "Connection: close\r\n%s\r\n" % (method, path, self.host, self.port, key, length, more)).encode()

    def text(self, rng, tokens):
        """A text of about so many tokens."""
        return " ".join(rng.choices(WORDS, k=max(1, round(tokens / self.tokens_per_word))))

    def body(self, prompt, tokens, stream=True, **more):
        """A request that continues a prompt, or answers messages, with exactly so many tokens."""
        body = {"model": self.model, "max_tokens": tokens, "stream": stream, "ignore_eos": True, **more}
        if stream:
            body["stream_options"] = {"include_usage": True}
        if isinstance(prompt, list):
            body["messages"] = prompt
        elif self.chat:
            body["messages"] = [{"role": "user", "content": prompt}]
        else:
            body["prompt"] = prompt
        return body


class Sample:
    """One request: when it was sent, when each piece of the answer came, what was used."""

    def __init__(self):
        self.start = time.perf_counter()
        self.times = []
        self.end = 0.0
        self.prompt = self.cached = self.tokens = 0
        self.status = 0
        self.error = ""
        self.text = []

    @property
    def first(self):
        """Seconds to the first text. Where no token has any, such as end tokens, the end counts."""
        return (self.times[0] if self.times else self.end) - self.start

    @property
    def gaps(self):
        return [b - a for a, b in zip(self.times, self.times[1:])]

    @property
    def per_token(self):
        """Seconds a token after the first."""
        return (self.times[-1] - self.times[0]) / (self.tokens - 1) if self.times and self.tokens > 1 else 0.0

    def use(self, usage):
        self.prompt = usage.get("prompt_tokens", 0)
        self.tokens = usage.get("completion_tokens", 0)
        self.cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)


async def read_head(reader):
    """The status and the headers of a response, with small names."""
    line = await reader.readline()
    if not line:
        raise ConnectionError("closed before the response")
    status = int(line.split()[1])
    headers = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers


async def read_body(reader, headers):
    """The pieces of a body. Raises ConnectionError if it is cut off."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while line := await reader.readline():
            size = int(line.split(b";")[0], 16)
            piece = await reader.readexactly(size + 2)
            if size == 0:
                return
            yield piece[:-2]
        raise ConnectionError("the response was cut off")
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while piece := await reader.read(65536):
            yield piece


def take_event(sample, data):
    """One event of a stream. Returns whether it is the last."""
    now = time.perf_counter()
    if data == b"[DONE]":
        return True
    value = json.loads(data)
    if value.get("error"):
        raise ConnectionError(value["error"].get("message", "error"))
    if value.get("usage"):
        sample.use(value["usage"])
    for choice in value.get("choices") or []:
        delta = choice.get("delta", choice)
        text = delta.get("content") or delta.get("reasoning_content") or delta.get("text")
        if text or delta.get("tool_calls"):
            sample.times.append(now)
            sample.text.append(text or "")
    return False


async def stream(reader, headers, sample, on_token):
    rest = b""
    done = False
    async for piece in read_body(reader, headers):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                before = len(sample.times)
                done = take_event(sample, line[5:].strip()) or done
                if on_token and len(sample.times) > before:
                    on_token(sample)
    if not done:
        raise ConnectionError("the stream ended without [DONE]")


async def request(target, body, on_token=None, seconds=3600.0):
    """Sends a request and reads the whole response. Never raises for what the server does: see `error`."""
    sample = Sample()
    writer = None
    data = json.dumps(body).encode()
    path = "/v1/chat/completions" if "messages" in body else "/v1/completions"
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await target.connect()
            writer.write(target.head("POST", path, len(data)) + data)
            sample.status, headers = await read_head(reader)
            if sample.status == 200 and headers.get("content-type", "").startswith("text/event-stream"):
                await stream(reader, headers, sample, on_token)
            else:
                whole = json.loads(b"".join([piece async for piece in read_body(reader, headers)]))
                sample.use(whole.get("usage") or {})
                if sample.status != 200:
                    sample.error = "%d %s" % (sample.status, whole["error"]["message"])
    except (OSError, EOFError, TimeoutError, ValueError, KeyError, TypeError) as problem:
        sample.error = "%s: %s" % (type(problem).__name__, problem)
    finally:
        if writer:
            writer.close()
    sample.end = time.perf_counter()
    if not sample.error and not sample.tokens:
        sample.tokens = len(sample.times)
    return sample


async def get(target, path, seconds=60.0):
    """The status, body and duration of a GET."""
    start = time.perf_counter()
    async with asyncio.timeout(seconds):
        reader, writer = await target.connect()
        try:
            writer.write(target.head("GET", path, 0))
            status, headers = await read_head(reader)
            body = b"".join([piece async for piece in read_body(reader, headers)])
        finally:
            writer.close()
    return status, body, time.perf_counter() - start


async def prepare(target):
    """Takes the first model's name unless one was given, and measures tokens per word."""
    if not target.model:
        target.model = json.loads((await get(target, "/v1/models"))[1])["data"][0]["id"]
    sizes = []
    for words in (40, 240):
        sample = await request(target, target.body(target.text(random.Random(words), words), 1))
        if sample.error:
            raise SystemExit("the server refuses a simple request: " + sample.error)
        sizes.append(sample.prompt)
    if sizes[1] > sizes[0]:
        target.tokens_per_word = (sizes[1] - sizes[0]) / 200
