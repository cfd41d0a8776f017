# SPDX-License-Identifier: Apache-2.0
"""`lfm2 serve` with the demo model on a free port, for the tests in Python."""
import os
import re
import subprocess
import tempfile
import time


class Server:
    """Runs while the `with` statement does. If it cannot run, `port` is 0 and `problem` says why."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.port = 0
        self.problem = ""
        self.process = None
        self.said = tempfile.TemporaryFile()

    def __enter__(self):
        if os.environ.get("LFM2_SERVER_PORT"):
            self.port = int(os.environ["LFM2_SERVER_PORT"])
            return self
        program, model = os.environ.get("LFM2_PROGRAM"), os.environ.get("LFM2_DEMO_MODEL")
        if not program or not model:
            raise SystemExit("LFM2_PROGRAM and LFM2_DEMO_MODEL must be set")
        helped = subprocess.run([program, "serve", "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        if helped.returncode != 0:
            self.problem = "the program was built without `serve`"
            return self
        self.process = subprocess.Popen([program, "serve", "-m", model, "--port", "0", *self.arguments],
                                        stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while self.port == 0:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self.output())
            if found:
                self.port = int(found.group(1))
            elif self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise SystemExit("the server did not start:\n" + self.output())
            else:
                time.sleep(0.02)
        return self

    def output(self):
        """What the server has printed. Its position in the file is shared, so this reads at offsets."""
        return os.pread(self.said.fileno(), 1 << 20, 0).decode(errors="replace")

    def __exit__(self, *exception):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
