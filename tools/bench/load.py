#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a server of OpenAI's API under load.

    load.py [--url URL] run --rate 2 --seconds 60          requests at random times, 2 a second
    load.py [--url URL] run --clients 8 --requests 64      clients that wait for their answers
    load.py [--url URL] mixed16 | stall | second-turn | overhead | idle | churn

It works with any server that has /v1/completions with streams (--chat: /v1/chat/completions), such as
`lfm2 serve` and llama-server. Prompts consist of random words, so that no cache has seen them."""
import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from load_http import Target, get, prepare, request  # noqa: E402
import load_churn  # noqa: E402

MS = 1000.0


# ---- Figures ------------------------------------------------------------------------------------


def quantile(values, q):
    """The smallest value that a part q of all does not exceed; 0 for none."""
    values = sorted(values)
    return values[min(len(values) - 1, max(0, -int(-q * len(values) // 1) - 1))] if values else 0.0


def spread(values, scale=MS):
    return {"p50": quantile(values, .5) * scale, "p95": quantile(values, .95) * scale,
            "p99": quantile(values, .99) * scale, "max": max(values, default=0.0) * scale}


def summary(samples, options):
    """All figures of some requests. Times in milliseconds."""
    good = [s for s in samples if not s.error]
    seconds = max((s.end for s in samples), default=0) - min((s.start for s in samples), default=0)
    kept = [s for s in good if s.first * MS <= options.slo_ttft and s.per_token * MS <= options.slo_tpot]
    errors = {}
    for s in samples:
        if s.error:
            errors[s.error[:200]] = errors.get(s.error[:200], 0) + 1
    rate = (lambda n: n / seconds if seconds > 0 else 0.0)
    return {
        "requests": len(samples), "errors": len(samples) - len(good), "seconds": seconds,
        "requests_per_s": rate(len(good)), "goodput_per_s": rate(len(kept)),
        "prompt_tokens": sum(s.prompt for s in good), "cached_tokens": sum(s.cached for s in good),
        "output_tokens": sum(s.tokens for s in good), "output_tokens_per_s": rate(sum(s.tokens for s in good)),
        "total_tokens_per_s": rate(sum(s.tokens + s.prompt for s in good)),
        "ttft_ms": spread([s.first for s in good if s.times]), "gap_ms": spread([g for s in good for g in s.gaps]),
        "tpot_ms": spread([s.per_token for s in good if s.tokens > 1]),
        "e2e_ms": spread([s.end - s.start for s in good]), "error_texts": errors,
    }


def show(title, figures):
    """Prints figures as a table."""
    print("\n" + title)
    spreads = {name: value for name, value in figures.items() if isinstance(value, dict) and "p50" in value}
    for name, value in figures.items():
        if name not in spreads and name != "error_texts":
            print("  %-28s %s" % (name, ("%.3f" % value if isinstance(value, float) else value)))
    if spreads:
        print("  %-14s%12s%12s%12s%12s" % ("", "p50", "p95", "p99", "max"))
    for name, value in spreads.items():
        print("  %-14s%12.2f%12.2f%12.2f%12.2f" % (name, value["p50"], value["p95"], value["p99"], value["max"]))
    for text, n in figures.get("error_texts", {}).items():
        print("  %d x %s" % (n, text))


# ---- Load ---------------------------------------------------------------------------------------


def lengths(text):
    """MIN:MAX or N."""
    low, _, high = text.partition(":")
    return int(low), int(high or low)


def pick(rng, bounds):
    """A length, with the same weight for each factor of two."""
    low, high = bounds
    return round(low * (high / low) ** rng.random())


async def one(target, options, rng):
    body = target.body(target.text(rng, pick(rng, options.prompt)), pick(rng, options.tokens), seed=rng.getrandbits(31))
    return await request(target, body)


async def closed_loop(target, options, rng, n, enough):
    """n clients; each sends its next request after the answer to the last, until enough() is true."""
    samples = []

    async def client():
        while not enough():
            samples.append(await one(target, options, rng))

    await asyncio.gather(*[client() for _ in range(n)])
    return samples


async def open_loop(target, options, rng):
    """Requests at the times of a Poisson process, whether or not earlier ones are answered."""
    tasks = []
    start = at = time.perf_counter()
    while True:
        at += rng.expovariate(options.rate)
        if (options.seconds and at - start > options.seconds) or (options.requests and len(tasks) == options.requests):
            break
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        tasks.append(asyncio.ensure_future(one(target, options, rng)))
    return list(await asyncio.gather(*tasks))


async def scenario_run(target, options, rng):
    if not options.seconds and not options.requests:
        options.seconds = 30.0
    if options.rate:
        return summary(await open_loop(target, options, rng), options)
    end = time.perf_counter() + (options.seconds or 1e9)
    started = [0]

    def enough():
        started[0] += 1
        return time.perf_counter() > end or (options.requests and started[0] > options.requests)

    return summary(await closed_loop(target, options, rng, options.clients, enough), options)


async def scenario_mixed16(target, options, rng):
    """16 requests at once, prompts of 50 to 2,000 tokens, 128 tokens each."""
    sizes = [round(50 * 40 ** (i / 15)) for i in range(16)]
    rng.shuffle(sizes)
    bodies = [target.body(target.text(rng, size * options.scale), max(1, int(128 * options.scale))) for size in sizes]
    return summary(await asyncio.gather(*[request(target, body) for body in bodies]), options)


async def scenario_stall(target, options, rng):
    """8 streams, and a prompt of 2,048 tokens that arrives while they are written."""
    ready = asyncio.Event()
    warm = set()

    def on_token(sample):
        if len(sample.times) == 8:
            warm.add(id(sample))
        if len(warm) == 8:
            ready.set()

    long_output = max(16, int(options.stall_tokens * options.scale))
    streams = [asyncio.ensure_future(request(target, target.body(target.text(rng, 32), long_output), on_token))
               for _ in range(8)]
    waiter = asyncio.ensure_future(ready.wait())
    await asyncio.wait([waiter, *streams], return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    alone_end = time.perf_counter()
    await asyncio.sleep(options.stall_alone)
    late = await request(target, target.body(target.text(rng, 2048 * options.scale), 8))
    samples = await asyncio.gather(*streams)
    begin, end = late.start, late.start + late.first
    inside = [[t for t in s.times if begin <= t <= end] for s in samples]
    before = [[t for t in s.times if alone_end <= t < begin] for s in samples]
    # The gap that the arrival falls into counts, and the one that the first token of the late one falls into.
    gaps = [b - a for s in samples for a, b in zip(s.times, s.times[1:]) if b >= begin and a <= end]
    rate_before = sum(map(len, before)) / max(1e-9, begin - alone_end)
    rate_inside = sum(map(len, inside)) / max(1e-9, end - begin)
    return {"late_prompt_tokens": late.prompt, "late_ttft_s": late.first,
            "decoders_that_ended_early": sum(1 for s in samples if s.times and s.times[-1] < end),
            "tokens_per_s_before": rate_before, "tokens_per_s_during": rate_inside,
            "kept": rate_inside / rate_before if rate_before else 0.0, "longest_gap_s": max(gaps, default=0.0),
            "gap_ms": spread(gaps), "errors": [s.error for s in (late, *samples) if s.error]}


async def scenario_second_turn(target, options, rng):
    """The first token of the second turn of a conversation of 4,000 tokens, against a prompt of as many tokens as are new.
    The first answer is one token: a model with random weights writes tokens into which its own text is not divided again."""
    first_tokens, second, small = [], [], []
    cached = prompt = 0
    errors = []
    for _ in range(options.repeat):
        messages = [{"role": "user", "content": target.text(rng, 4096 * options.scale)}]
        # Answers that end by themselves: text behind the end of a turn would be read as other tokens.
        turn = await request(target, target.body(messages, 1, ignore_eos=False))
        messages += [{"role": "assistant", "content": "".join(turn.text)},
                     {"role": "user", "content": target.text(rng, 32)}]
        again = await request(target, target.body(messages, 8, ignore_eos=False))
        new = again.prompt - again.cached
        alone = await request(target, target.body([{"role": "user", "content": target.text(rng, 32)}], 8))
        if new > alone.prompt:  # the end of the first turn counts, too
            text = target.text(rng, 32 + new - alone.prompt)
            alone = await request(target, target.body([{"role": "user", "content": text}], 8))
        first_tokens.append(turn.first)
        second.append(again.first)
        small.append(alone.first)
        cached, prompt = again.cached, again.prompt
        errors += [s.error for s in (turn, again, alone) if s.error]
    return {"prompt_tokens": prompt, "cached_tokens": cached, "first_turn_ttft_s": quantile(first_tokens, .5),
            "second_turn_ttft_s": quantile(second, .5), "new_tokens": prompt - cached, "same_prompt_ttft_s": quantile(small, .5),
            "ratio": quantile(second, .5) / max(1e-9, quantile(small, .5)), "errors": errors}


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def scenario_overhead(target, options, rng):
    """What a token costs more in a stream than in an answer in one piece: wall time, and CPU time with --pid.
    The same request is sent both ways in turn."""
    n = max(16, int(options.overhead_tokens * options.scale))
    prompt = target.text(rng, 16)
    wall, cpu, errors = {True: [], False: []}, {True: [], False: []}, []
    for i in range(2 * options.repeat):
        way = i % 2 == 0
        before = cpu_seconds(options.pid) if options.pid else 0.0
        sample = await request(target, target.body(prompt, n, stream=way, temperature=0))
        wall[way].append(sample.end - sample.start)
        cpu[way].append((cpu_seconds(options.pid) if options.pid else 0.0) - before)
        errors += [sample.error] if sample.error else []
    us = 1e6 / n
    return {"tokens": n, "stream_us_per_token": quantile(wall[True], .5) * us,
            "whole_us_per_token": quantile(wall[False], .5) * us,
            "difference_us_per_token": (quantile(wall[True], .5) - quantile(wall[False], .5)) * us,
            "cpu_difference_us_per_token": (sum(cpu[True]) - sum(cpu[False])) / options.repeat * us if options.pid else None,
            "errors": errors}


# ---- Many connections ---------------------------------------------------------------------------


async def open_idle(target, n):
    """Connections that send nothing, and every second one a head that never ends."""
    held = []
    for i in range(n):
        reader, writer = await target.connect()
        if i % 2:
            writer.write(b"GET /v1/models HTTP/1.1\r\nX-Slow: ")
        held.append((reader, writer))
        if i % 100 == 99:
            await asyncio.sleep(0.01)
    return held


async def probe(target, path, times, stop):
    """The durations of GETs, 20 a second."""
    while not stop.is_set():
        try:
            status, _, seconds = await get(target, path, 30)
            times.append(seconds if status == 200 else 30.0)
        except (OSError, EOFError, ValueError, TimeoutError):
            times.append(30.0)
        await asyncio.sleep(0.05)


async def eight_clients(target, options, rng):
    """Output tokens a second of 8 clients, and the durations of the probes meanwhile."""
    end = time.perf_counter() + (options.seconds or 20)
    times, stop = [], asyncio.Event()
    admin = Target(options.admin, key=options.key) if options.admin else target
    prober = asyncio.ensure_future(probe(admin, options.health, times, stop))
    samples = await closed_loop(target, options, rng, 8, lambda: time.perf_counter() > end)
    stop.set()
    await prober
    return summary(samples, options), times


async def scenario_idle(target, options, rng):
    """8 clients without, with, and again without thousands of idle and slow connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    alone, alone_times = await eight_clients(target, options, rng)
    before = load_churn.memory(options.pid)
    held = await open_idle(target, options.connections)
    after = load_churn.memory(options.pid)
    crowded, crowded_times = await eight_clients(target, options, rng)
    still = sum(1 for reader, _ in held if not reader.at_eof())
    for _, writer in held:
        writer.close()
    await asyncio.sleep(1)
    again, again_times = await eight_clients(target, options, rng)
    without = (alone["output_tokens_per_s"] + again["output_tokens_per_s"]) / 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return {"connections": len(held), "still_open_at_the_end": still, "errors": alone["errors"] + crowded["errors"] + again["errors"],
            "bytes_per_connection": (after - before) / max(1, len(held)) if options.pid else None,
            "tokens_per_s_before": alone["output_tokens_per_s"], "tokens_per_s_with": crowded["output_tokens_per_s"],
            "tokens_per_s_after": again["output_tokens_per_s"],
            "kept": crowded["output_tokens_per_s"] / max(1e-9, without),
            "health_without_ms": spread(alone_times + again_times), "health_with_ms": spread(crowded_times)}


async def scenario_churn(target, options, rng):
    """Clients that cancel, leave and send nonsense; then the server must answer as before."""
    return await load_churn.run(target, options, rng)


SCENARIOS = {name[9:].replace("_", "-"): function for name, function in list(globals().items())
             if name.startswith("scenario_")}


# ---- Command line -------------------------------------------------------------------------------


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scenario", choices=list(SCENARIOS))
    p.add_argument("--url", default="http://127.0.0.1:8080")
    p.add_argument("--unix", help="path of the server's socket")
    p.add_argument("--key", default=os.environ.get("LFM2_API_KEY"), help="API key (LFM2_API_KEY)")
    p.add_argument("--model", help="default: the first of /v1/models")
    p.add_argument("--chat", action="store_true", help="/v1/chat/completions instead of /v1/completions")
    p.add_argument("--json", metavar="FILE", help="write the figures to FILE too; - = standard output, no table")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--pid", type=int, help="of the server: also report its memory and CPU time")
    p.add_argument("--scale", type=float, default=1.0, help="of the lengths in a scenario")
    p.add_argument("--seconds", type=float, default=0.0)
    p.add_argument("--requests", type=int, default=0)
    p.add_argument("--rate", type=float, default=0.0, help="run: requests a second, at random times")
    p.add_argument("--clients", type=int, default=0, help="run: 8; churn: 64")
    p.add_argument("--prompt", type=lengths, default=(50, 500), metavar="MIN:MAX", help="tokens of a prompt")
    p.add_argument("--tokens", type=lengths, default=(64, 64), metavar="MIN:MAX", help="tokens of an answer")
    p.add_argument("--slo-ttft", type=float, default=2000.0, metavar="MS", help="goodput: the first token's limit")
    p.add_argument("--slo-tpot", type=float, default=200.0, metavar="MS", help="goodput: the limit a token")
    p.add_argument("--repeat", type=int, default=3, help="second-turn, overhead")
    p.add_argument("--stall-tokens", type=int, default=512, help="stall: length of the 8 streams")
    p.add_argument("--stall-alone", type=float, default=3.0, metavar="SECONDS", help="stall: before the late prompt")
    p.add_argument("--overhead-tokens", type=int, default=1000)
    p.add_argument("--connections", type=int, default=9000, help="idle")
    p.add_argument("--admin", metavar="URL", help="idle, churn: the listener of the health checks")
    p.add_argument("--health", default="/health/live", metavar="PATH")
    options = p.parse_args()
    options.clients = options.clients or (64 if options.scenario == "churn" else 8)
    return options


async def measure(options):
    target = Target(options.url, options.unix, options.key, options.model, options.chat)
    await prepare(target)
    figures = await SCENARIOS[options.scenario](target, options, random.Random(options.seed))
    return {"scenario": options.scenario, "model": target.model, **figures}


def main():
    options = parse()
    try:
        figures = asyncio.run(measure(options))
    except (OSError, EOFError, TimeoutError, ValueError) as problem:
        raise SystemExit("load.py: %s: %s" % (options.url, problem or type(problem).__name__)) from problem
    if options.json != "-":
        show("%s, %s" % (options.scenario, options.unix or options.url), figures)
    if options.json:
        with (sys.stdout if options.json == "-" else open(options.json, "w")) as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    return 1 if figures.get("errors") else 0


if __name__ == "__main__":
    sys.exit(main())
