# SPDX-License-Identifier: Apache-2.0
"""The admin listener: health, metrics, the agent of a balancer."""
from common import *

server = fake("admin=127.0.0.1:0", "agent=127.0.0.1:0", "allow=scrape.me")
port, admin, agent = server.port(), server.port("admin"), server.port("agent")

check(ask(admin, "/health/live").status == 200, "live")
check(ask(admin, "/health/ready").status == 200, "ready")
check(ask(admin, "/health").status == 200, "health")
check(ask(admin, "/echo").status == 404, "the admin listener is not the API")
check(ask(admin, "/metrics", "POST", b"{}").status == 405, "it answers GET only")
check(ask(admin, "/metrics", host="example.com").status == 403, "it checks Host")
check(ask(admin, "/metrics", host="scrape.me").status == 200, "with the names that are allowed")
check(ask(port, "/health/live").status == 404, "the API has no admin routes")

# 16 of 64 run and 3 wait: 70 % are free.
check(read_all(connect(agent)) == b"up 70% maxconn:64\n", "the line of the agent")
check(ask(admin, "/agent").body == b"up 70% maxconn:64\n", "the same over HTTP")
for i in range(200):
    with connect(agent):
        pass
check(read_all(connect(agent)) == b"up 70% maxconn:64\n", "after connections that end early")

# The text format: HELP and TYPE once before the samples of a name, values that are numbers.
ask(port, "/stream?3,1")
ask(port, "/none")
got = ask(admin, "/metrics")
check(got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", "the type")
types, values = {}, {}
for line in got.body.decode().splitlines():
    match = re.fullmatch(r"# (HELP|TYPE) ([a-z0-9_:]+) (.+)", line)
    if match:
        if match.group(1) == "TYPE":
            check(match.group(2) not in types, f"{match.group(2)} is described once")
            types[match.group(2)] = match.group(3)
        continue
    match = re.fullmatch(r'([a-z0-9_:]+)(\{([a-z0-9_]+="[^"\\]*",?)*\})? (\S+)', line)
    if check(bool(match), f"a sample: {line}"):
        name = match.group(1)
        base = re.sub("_(bucket|sum|count)$", "", name)
        check(name in types or types.get(base) == "histogram", f"{name} has a type")
        check(not (types.get(name) == "counter" and not name.endswith("_total")), f"{name}: _total")
        values[name + (match.group(2) or "")] = float(match.group(4))
check(values['lfm2_step_sequences_bucket{le="2"}'] == 5, "buckets are sums")
check(values['lfm2_step_sequences_bucket{le="+Inf"}'] == values["lfm2_step_sequences_count"],
      "the last bucket has all")
wait_until(lambda: b"lfm2_test_seconds_count 3\n" in ask(admin, "/metrics").body,
           "the histogram of the API")
check(values['lfm2_http_responses_total{code="404"}'] == 2, "responses by status")
check(values["vllm:num_requests_waiting"] == 3, "vLLM's names")
check(values["vllm:num_requests_running"] == 16, "vLLM's names")
check(abs(values["vllm:kv_cache_usage_perc"] - 0.2) < 1e-9, "usage without what only caches hold")
check(values['vllm:cache_config_info{block_size="64",num_gpu_blocks="100"}'] == 1, "pages")
server.stop()
finish()
