# SPDX-License-Identifier: Apache-2.0
"""Allocations that fail, in the server, the library and libevent: requests fail, the server does not."""
from common import *

sample = bool(os.environ.get("LFM2_TEST_SAMPLE"))
with folder() as work:
    keys = os.path.join(work, "keys")
    with open(keys, "w", encoding="utf-8") as f:
        f.write("one:secret-one\ntwo:secret-two\n")
    good = 0
    for each in [2, 5, 61] if sample else [1, 2, 3, 4, 5, 7, 11, 13, 17, 23, 61, 307]:
        server = fake(f"fail={each}", f"keys={keys}", f"log={work}/log", "admin=127.0.0.1:0",
                      "header_seconds=0.1", "write_seconds=0.1", "idle_seconds=0.5")
        port, admin = server.port(), server.port("admin")
        key = ["X-Api-Key: secret-two"]
        check(ask(port, "/echo", headers=key).status == 200, "the server works")
        server.process.send_signal(signal.SIGUSR1)
        for i in range(40):
            try:
                if i % 8 == 7:
                    server.process.send_signal(signal.SIGHUP)
                body = b"x" * (i * 997) if i % 3 == 0 else None
                path = ["/echo", "/stream?3,1", "/metrics", "/late?1", "/"][i % 5]
                got = ask(admin if path == "/metrics" else port, path, "POST" if body else "GET", body, key)
                good += got.status == 200
                check(got.status != 200 or path != "/stream?3,1" or got.body == b"data: piece\n\n" * 3,
                      "a stream that ends is complete")
            except (OSError, ValueError, IndexError):
                pass  # a connection that is cut
        server.process.send_signal(signal.SIGUSR2)

        def works():
            try:
                return ask(port, "/echo", "POST", b"{}", key).status == 200
            except OSError:
                return False
        wait_until(works, f"the server works when there is memory again, after 1 of {each}")
        server.stop()
    check(good > 0, "some requests succeed meanwhile")
finish()
