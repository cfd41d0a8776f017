# SPDX-License-Identifier: Apache-2.0
"""The load client of tools/bench against `lfm2 serve` with the demo model: each scenario, made small."""
from common import *

CLIENT = os.path.join(os.environ["LFM2_TEST_DATA"], "..", "tools", "bench", "load.py")


def measure(*arguments, code=0):
    done = subprocess.run([sys.executable, CLIENT, *arguments, "--json", "-"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE, text=True)
    if not check(done.returncode == code, f"{arguments[-3:]} ends with {done.returncode}"):
        print(done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else {}


server = Server([os.environ["LFM2_PROGRAM"], "serve", "-m", os.environ["LFM2_DEMO_MODEL"], "--port", "0"])
port = server.port()
url = ["--url", f"http://127.0.0.1:{port}", "--pid", str(server.process.pid)]
small = url + ["--scale", "0.05"]

got = measure(*url, "run", "--clients", "4", "--requests", "12", "--prompt", "5:40", "--tokens", "6")
check(got.get("requests") == 12 and got.get("output_tokens") == 72, f"12 answers of 6 tokens: {got}")
check(60 <= got.get("prompt_tokens", 0) <= 12 * 80, f"prompts of the lengths asked for: {got}")
check(0 < got["ttft_ms"]["p50"] <= got["ttft_ms"]["max"] <= got["e2e_ms"]["max"], f"times in order: {got}")
got = measure(*url, "run", "--rate", "50", "--requests", "10", "--prompt", "5:20", "--tokens", "4", "--chat")
check(got.get("requests") == 10 and got.get("errors") == 0, f"an open loop: {got}")
got = measure(*small, "mixed16")
check(got.get("requests") == 16 and got.get("output_tokens") == 16 * 6, f"mixed16: {got}")
got = measure(*small, "stall", "--stall-tokens", "4000", "--stall-alone", "0.05")
check(got.get("late_ttft_s", 0) > 0 and got.get("longest_gap_s", 0) > 0, f"stall: {got}")
got = measure(*small, "second-turn", "--repeat", "1")
check(got.get("cached_tokens", 0) > 50, f"the second turn finds the first: {got}")
got = measure(*small, "overhead", "--repeat", "1", "--overhead-tokens", "400")
check(got.get("stream_us_per_token", 0) > 0, f"overhead: {got}")
got = measure(*url, "idle", "--connections", "60", "--seconds", "0.3", "--tokens", "4", "--health", "/v1/models")
check(got.get("still_open_at_the_end") == 60, f"idle connections stay: {got}")
got = measure(*small, "churn", "--clients", "16", "--seconds", "2")
check(got.get("answers_at_the_end") and not got.get("wrong"), f"churn: {got}")
check(sum(got.get("actions", {}).values()) > 20, f"churn does something: {got}")

# The figures themselves.
sys.path.insert(0, os.path.dirname(CLIENT))
import load as client  # noqa: E402
from load_http import Sample  # noqa: E402
hundred = list(range(100, 0, -1))
quantiles = [client.quantile(values, q) for values, q in
             ((hundred, .5), (hundred, .99), (hundred, 1), (hundred, 0), ([7], .95), ([1, 2, 3], .5), ([], .5))]
check(quantiles == [50, 99, 100, 1, 7, 2, 0], f"quantiles: {quantiles}")
sample = Sample()
sample.start, sample.end, sample.times, sample.tokens = 10.0, 13.0, [11.0, 11.5, 12.5], 4
check((sample.first, sample.gaps, sample.per_token) == (1.0, [0.5, 1.0], 0.5), "the times of a request")
check(client.lengths("5:9") == (5, 9) and client.lengths("7") == (7, 7), "lengths")

# A server that is not there is an error, not a figure.
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    measure("--url", f"http://127.0.0.1:{s.getsockname()[1]}", "run", code=1)
server.stop()
finish()
