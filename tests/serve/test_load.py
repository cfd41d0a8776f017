# SPDX-License-Identifier: Apache-2.0
# ctest-labels: threads
"""Many clients at once that do all that clients do, with all threads of the server at work."""
import random
from common import *

seed = int(os.environ.get("LFM2_TEST_SEED", "1"))
sample = bool(os.environ.get("LFM2_TEST_SAMPLE"))
print(f"seed {seed}")
with folder() as work:
    server = fake("admin=127.0.0.1:0", f"log={work}/log")
    port, admin = server.port(), server.port("admin")
    problems = []

    def client(number):
        rng = random.Random(seed * 1000 + number)
        try:
            for i in range(8 if sample else 25):
                kind = rng.randrange(7)
                if kind == 0:
                    body = rng.randbytes(rng.randrange(200_000))
                    if ask(port, "/echo", "POST", body).json()["length"] != len(body):
                        problems.append("a body")
                elif kind == 1:
                    n = rng.randrange(1, 20)
                    if ask(port, f"/stream?{n},1").body != b"data: piece\n\n" * n:
                        problems.append("a stream")
                elif kind == 2:
                    with connect(port) as s:
                        s.sendall(request_bytes(f"/stream?1000,{rng.randrange(1, 5)}"))
                        s.recv(rng.randrange(1, 300))
                elif kind == 3:
                    with connect(port) as s:
                        s.sendall(request_bytes(f"/late?{rng.randrange(1, 30)}"))
                elif kind == 4:
                    exchange(port, rng.randbytes(rng.randrange(1, 300)) + b"\n")
                elif kind == 5:
                    if b"lfm2_requests_running" not in ask(admin, "/metrics").body:
                        problems.append("metrics")
                else:
                    with connect(port) as s:
                        s.sendall(request_bytes("/flood"))
                        for j in range(rng.randrange(5)):
                            s.recv(65536)
        except Exception as e:  # any failure of a client is a failure of the server
            problems.append(repr(e))

    threads = [threading.Thread(target=client, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for i in range(5):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    for t in threads:
        t.join()
    check(not problems, f"no client has a problem: {problems[:3]}")
    wait_until(lambda: ask(port, "/counts").json()["active"] == 0, "no work is left")
    server.stop()
    with open(f"{work}/log", encoding="utf-8") as f:
        check(all(json.loads(line)["seconds"] >= 0 for line in f), "every line of the log is JSON")
finish()
