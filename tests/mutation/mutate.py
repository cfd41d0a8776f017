#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the library at one random place after another and checks whether a test fails.

    tests/mutation/mutate.py                        40 mutants, seed 1
    tests/mutation/mutate.py --seed 2 --count 10    other mutants
    tests/mutation/mutate.py --only src/text        only in these files (a regular expression)
    tests/mutation/mutate.py --list                 prints the mutants; builds nothing
    tests/mutation/mutate.py --mutant src/run/sampler.c:120:   those of a line

Works on a copy of the tree (--folder, by default build-mutation) and never changes the tree. A
developer's tool: no test needs it. Uses only Python's standard library.
"""
import argparse
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# ---- The tests of each file ----------------------------------------------------------------------
# The first pattern that matches a path gives its stages, which run in order until a test fails: the
# most specific tests first. LAST is the last stage of every file, without the tests of several
# threads, which are slow on busy machines.
LAST = r"unit\.(?!sched|invariance|batch|linear)|kernels|cli\.(run|text|models)$"
TESTS_OF = [
    (r"^kernels/.*/lhs", [r"kernels\.(lhs|gemm)"]),
    (r"^kernels/.*(attn|/kv)", [r"kernels\.attn", r"unit\.fresh_memory"]),
    (r"^kernels/.*(gemm|pack|quants|ymm|zmm|xnnpack|unroll|layout)", [r"kernels\.(gemm|lhs)"]),
    (r"^kernels/.*peak", [r"kernels\.peak"]),
    (r"^kernels/", [r"kernels\."]),
    (r"^src/common/(json|utf8)", [r"unit\.(json|utf8_decode|unicode|chat)$", r"unit\.tokenizer"]),
    (r"^src/common/elementary", [r"unit\.elementary", r"unit\.sampler"]),
    (r"^src/common/input", [r"unit\.session_output", r"fuzz\.session"]),
    (r"^src/common/(file|reader|writer|os|index)", [r"unit\.(file|gguf|api|session_output)$"]),
    (r"^src/common/", [r"unit\.(file|bind|api|gguf|log)$"]),
    (r"^src/runtime/(cpus|crowding|meter)", [r"unit\.(cpus|crowding)$"]),
    (r"^src/runtime/turns", [r"threads\.turns", r"threads\."]),
    (r"^src/runtime/", [r"unit\.sched", r"threads\.|unit\.invariance"]),
    (r"^src/load/identity", [r"unit\.(session_file|cache)$"]),
    (r"^src/load/(gguf|source|config_gguf)", [r"unit\.(gguf|source|load_hostile|bind)$"]),
    (r"^src/load/(hf|safetensors|tokenizer|config)",
     [r"unit\.(hf|safetensors|source|tokenizer_pipeline|load_hostile)$"]),
    (r"^src/load/", [r"unit\.(cache|bind|source|convert)$", r"unit\.(linear|forward)$"]),
    (r"^src/quant/", [r"unit\.quant", r"unit\.convert"]),
    (r"^src/text/template", [r"unit\.template", r"fuzz\.template"]),
    (r"^src/text/grammar/(gbnf|free_text|tools)",
     [r"unit\.(gbnf|tools)$", r"unit\.constraint|fuzz\.(gbnf|tools)"]),
    (r"^src/text/grammar/rx", [r"unit\.rx", r"unit\.(grammar|matcher)$", r"fuzz\.regex"]),
    (r"^src/text/grammar", [r"unit\.(grammar|matcher|rx)$", r"fuzz\.regex"]),
    (r"^src/text/chat", [r"unit\.chat", r"unit\.(generate|api)|cli\.chat"]),
    (r"^src/text/", [r"unit\.(token|added|pretok|unicode|utf8)", r"unit\.generate"]),
    (r"^src/(model/state_file|run/session_file)",
     [r"unit\.session_(file|output)", r"unit\.failing_sessions|fuzz\.session"]),
    (r"^src/model/", [r"unit\.(forward|linear)$", r"unit\.(session|router|fresh|failing|walk)",
                      r"unit\.(batch|invariance)"]),
    (r"^src/run/sampler", [r"unit\.sampler", r"unit\.generate"]),
    (r"^src/run/stops", [r"unit\.stops", r"fuzz\.stream|unit\.(stream|generate)"]),
    (r"^src/run/(draft|pace|verify)", [r"unit\.(draft|verify|generate_draft)", r"unit\.generate"]),
    (r"^src/run/(constraint|matcher)", [r"unit\.(constraint|tools)", r"threads\.constraints"]),
    (r"^src/run/(stream|decoder)", [r"unit\.(stream|generate|constraint)", r"fuzz\.stream|unit\.failing"]),
    (r"^src/run/prefix", [r"unit\.(prefix|random_prompts)", r"unit\.failing|threads\.(prefix|fork)"]),
    (r"^src/run/", [r"unit\.(session|generate|long_text)", r"threads\."]),
    (r"^src/(convert/imatrix|convert/pattern|convert/overrides|imatrix/)", [r"unit\.(imatrix|convert_pattern)", r"unit\.convert"]),
    (r"^src/convert/", [r"unit\.(convert|synth)", r"cli\.(models|accuracy)"]),
    (r"^src/bench/", [r"unit\.(api_tools|refused)$", r"cli\.bench"]),
    (r"^src/api", [r"unit\.(api|refused|failing)", r"unit\.(generate|session|sampler)",
                   r"cli\.(run|bench|logits)"]),
]

# ---- Places that are left out --------------------------------------------------------------------
# Calls whose arguments are texts, or hints and costs that affect only time.
QUIET_CALLS = re.compile(
    r"\b(lf_fail\w*|lf_log_write|snprintf|_mm_prefetch|__builtin_\w+|_Static_assert|lf_prefetch_hint\w*|"
    r"\w*prefetch\w*|lf_pass_(parallel|balance))\s*\(")
QUIET_LINES = re.compile(r"_ns\b|\bahead\b|prefetch|LF_FEW_ROWS|least_units|"
                         r"_Static_assert")
# Only in kernels: addresses to prefetch.
QUIET_KERNELS = re.compile(r"\bnext\b|\bnext_[kv]\b|distance|DISTANCE")
# The order of two of these calls' arguments does not matter: they are multiplied or compared.
COMMUTES = re.compile(r"(lf_new\w*|lf_free|lf_arena_new\w*|lf_mul_size|lf_add_size|\w*max\w*)\s*\(")
FILES = re.compile(r"^src/.*\.c$|^kernels/.*\.c$|^kernels/(x86|vector|scalar|xnnpack)/.*\.h$")
# A file's suffix names the instructions it is compiled for; other CPUs cannot test it.
NEEDS = {"avx2": "avx2", "avxvnni": "avx_vnni", "avx512": "avx512bw", "avx512vnni": "avx512_vnni"}


def cpu_flags():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("flags"):
                return set(line.split())
    return set()


def runs_here(path, flags):
    if path.startswith("kernels/arm/"):
        return False
    suffix = os.path.splitext(path)[0].rsplit("_", 1)[-1]
    return suffix not in NEEDS or NEEDS[suffix] in flags


# ---- Reading C -----------------------------------------------------------------------------------

def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_of(text):
    """The text with comments, preprocessor lines and the contents of strings replaced by spaces."""
    pattern = re.compile(
        r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|"
        r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.S | re.M)
    return pattern.sub(lambda m: m.group(0)[0] + blank(m)[1:-1] + m.group(0)[-1]
                       if m.group(0)[0] in "\"'" and len(m.group(0)) > 1 else blank(m), text)


def end_of_brackets(code, start):
    """Index after the bracket that closes the one at start."""
    depth = 0
    for i in range(start, len(code)):
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if depth == 0:
            return i + 1
    return len(code)


def arguments(code, start, end):
    """Spans of the arguments between brackets at start and end - 1."""
    spans, depth, at = [], 0, start + 1
    for i in range(start + 1, end):
        if depth == 0 and (code[i] == "," or i == end - 1):
            spans.append((at, i))
            at = i + 1
        depth += (code[i] in "([{") - (code[i] in ")]}")
    out = []
    for a, b in spans:
        text = code[a:b]
        out.append((a + len(text) - len(text.lstrip()), b - len(text) + len(text.rstrip())))
    return out


# ---- Mutations: (start, end, replacement, type) -------------------------------------------------

SWAPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+",
           "*": "/", "/": "*", "%": "/", "&": "|", "|": "&", "<<": ">>", ">>": "<<", "&&": "||",
           "||": "&&", "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "*=": "/="}
OPERATOR = re.compile(r"(?<=\s)(<=|>=|==|!=|<<|>>|&&|\|\||\+=|-=|\|=|&=|\*=|"
                      r"<|>|\+|-|\*|/|%|&|\|)(?=\s)")
NUMBER = re.compile(r"(?<![\w.])(0x[0-9A-Fa-f]+|\d+\.\d*(?:e[-+]?\d+)?f?|\d+)[uUlL]*(?![\w.])")
STATEMENT = re.compile(r"(?<=[;{}:)])(\s+)([A-Za-z_][\w\s>.,\[\]*&()+/|~!?:<=\"'-]*?;)")
EFFECT = re.compile(r"^(?:[A-Za-z_][\w]*(?:->|\.|\[[^;]*?\]|\w)*\s*(?:[-+*/|&^]|<<|>>)?=[^=]|"
                    r"[A-Za-z_]\w*\s*\(|"
                    r"[A-Za-z_][\w>.\-\[\]]*(?:\+\+|--);|break;|continue;)")
CONDITION = re.compile(r"\b(if|while)\s*\(")
CALL = re.compile(r"\b(?!if\b|while\b|for\b|switch\b|return\b|sizeof\b|_Alignas\b)"
                  r"[A-Za-z_]\w*\s*\(")
BOOLEAN = re.compile(r"\breturn (true|false);")


def quiet_spans(path, code):
    spans = [(m.start(), end_of_brackets(code, m.end() - 1)) for m in QUIET_CALLS.finditer(code)]
    at = 0
    for line in code.splitlines(keepends=True):
        if QUIET_LINES.search(line) or (path.startswith("kernels/") and QUIET_KERNELS.search(line)):
            spans.append((at, at + len(line)))
        at += len(line)
    return spans


def in_function(code):
    """Spans of function bodies, which braces at the left margin enclose."""
    spans = []
    for m in re.finditer(r"^\{", code, re.M):
        spans.append((m.start(), end_of_brackets(code, m.start())))
    return spans


def all_mutations(code):
    for m in OPERATOR.finditer(code):
        yield m.start(1), m.end(1), SWAPPED[m.group(1)], "operator"
    for m in NUMBER.finditer(code):
        one = "1.0f" if re.search(r"[.e]", m.group(1)) and not m.group(1).startswith("0x") else "1"
        yield m.start(), m.end(), "(%s + %s)" % (m.group(0), one), "number"
        if m.group(1) not in ("0", "0x0") and one == "1":
            yield m.start(), m.end(), "(%s - 1)" % m.group(0), "number"
    for m in STATEMENT.finditer(code):
        if EFFECT.match(m.group(2)) and m.group(2).count("(") == m.group(2).count(")"):
            yield m.start(2), m.end(2), ";", "removed"
    for m in CONDITION.finditer(code):
        end = end_of_brackets(code, m.end() - 1)
        yield m.end() - 1, end, None, "negated"
    for m in CALL.finditer(code):
        if COMMUTES.match(m.group(0)):
            continue
        spans = arguments(code, m.end() - 1, end_of_brackets(code, m.end() - 1))
        for (a, b), (c, d) in zip(spans, spans[1:]):
            if b - a < 40 and d - c < 40 and "\n" not in code[a:d] and code[a:b] != code[c:d]:
                yield a, d, code[c:d] + code[b:c] + code[a:b], "swapped"
    for m in BOOLEAN.finditer(code):
        yield m.start(1), m.end(1), "false" if m.group(1) == "true" else "true", "boolean"


class Site:
    def __init__(self, path, text, start, end, new, type_):
        self.path, self.start, self.end, self.type = path, start, end, type_
        self.line = text.count("\n", 0, start) + 1
        self.old = text[start:end]
        self.new = new if new is not None else "(!%s)" % self.old
        self.text = text

    def broken(self):
        return self.text[:self.start] + self.new + self.text[self.end:]

    def name(self):
        def shorten(text):
            text = re.sub(r"\s+", " ", text)
            return text if len(text) < 70 else text[:67] + "..."
        return "%s:%d: %s: %s => %s" % (self.path, self.line, self.type, shorten(self.old),
                                        shorten(self.new))


def sites_of(path):
    with open(os.path.join(REPO, path), encoding="utf-8") as f:
        text = f.read()
    code = code_of(text)
    quiet, bodies = quiet_spans(path, code), in_function(code)
    for start, end, new, type_ in all_mutations(code):
        if any(a < end and start < b for a, b in quiet):
            continue
        if any(a <= start and end <= b for a, b in bodies):
            # `code` has no contents of strings, which a replacement would need
            if type_ == "swapped" and "\"" in text[start:end]:
                continue
            yield Site(path, text, start, end, new, type_)


def sample(sites, count, source):
    """`count` of them, with each type equally likely."""
    by_type = {}
    for site in sites:
        by_type.setdefault(site.type, []).append(site)
    chosen = []
    while by_type and len(chosen) < count:
        type_ = source.choice(sorted(by_type))
        chosen.append(by_type[type_].pop(source.randrange(len(by_type[type_]))))
        if not by_type[type_]:
            del by_type[type_]
    return chosen


# ---- Building and running ------------------------------------------------------------------------

def limits():
    os.setsid()
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 30, 16 << 30))
    resource.setrlimit(resource.RLIMIT_AS, (24 << 30, 24 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, 64 << 20))


def run(command, seconds, **more):
    """Returns exit status and output; "hung" after `seconds`. Kills all processes of the command."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, preexec_fn=limits, **more)
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return "hung", ""
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


class Copy:
    """The copy of the tree, its build folder, its tests."""

    def __init__(self, folder, jobs):
        self.tree = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "build")
        self.jobs = str(jobs)
        self.copy_tree()
        options = ["-DLFM2_BUILD_TESTS=ON", "-DLFM2_WERROR=OFF",
                   "-DCMAKE_C_FLAGS=-w -Werror=int-conversion -Werror=incompatible-pointer-types"]
        if shutil.which("ccache"):
            options.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
        deps = os.environ.get("LFM2_DEPS", os.path.join(REPO, ".deps"))
        options.append("-DLFM2_DEPS=" + deps)
        self.must(["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja"] + options)
        self.must(["nice", "ninja", "-C", self.build, "-j", self.jobs, "lfm2_test_programs"])
        _, text = run(["ctest", "--test-dir", self.build, "--show-only=json-v1"], 60)
        self.tests = {}
        for test in json.loads(text[text.index("{"):])["tests"]:
            environment = dict(os.environ)
            folder_of = self.build
            for p in test.get("properties", []):
                if p["name"] == "ENVIRONMENT":
                    environment.update(v.split("=", 1) for v in p["value"])
                if p["name"] == "WORKING_DIRECTORY":
                    folder_of = p["value"]
            if "command" in test:
                self.tests[test["name"]] = (test["command"], environment, folder_of)
        self.clean = self.library()
        self.times_path = os.path.join(folder, "times-%s.json" % self.clean[:16])
        self.times = {}
        if os.path.exists(self.times_path):
            with open(self.times_path, encoding="utf-8") as f:
                self.times = json.load(f)

    def must(self, command):
        status, output = run(command, 3600)
        if status != 0:
            sys.exit("%s\n%s: failed" % (output[-4000:], " ".join(command)))

    def copy_tree(self):
        listed = subprocess.run(["git", "-C", REPO, "ls-files", "-z", "--cached", "--others",
                                 "--exclude-standard"], check=True, stdout=subprocess.PIPE)
        names = [n for n in listed.stdout.decode().split("\0") if n]
        kept = set()
        for name in names:
            source, target = os.path.join(REPO, name), os.path.join(self.tree, name)
            if not os.path.isfile(source):
                continue
            kept.add(target)
            with open(source, "rb") as f:
                data = f.read()
            if os.path.exists(target):
                with open(target, "rb") as f:
                    if f.read() == data:
                        continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as f:
                f.write(data)
            shutil.copymode(source, target)
        for folder, _, files in os.walk(self.tree):
            for name in files:
                if os.path.join(folder, name) not in kept:
                    os.remove(os.path.join(folder, name))

    def library(self):
        with open(os.path.join(self.build, "liblfm2_internal.a"), "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    def write(self, path, text):
        with open(os.path.join(self.tree, path), "w", encoding="utf-8") as f:
            f.write(text)

    def make(self, *targets):
        status, output = run(["nice", "ninja", "-C", self.build, "-j", self.jobs, *targets], 1200)
        return status == 0, output

    def select(self, pattern):
        return sorted(t for t in self.tests if re.search(pattern, t))

    def target(self, test):
        command = self.tests[test][0]
        return os.path.basename(command[0]) if test.count(".") and not test.startswith("cli.") \
            else "lfm2_program"

    def test(self, name, seconds):
        command, environment, folder = self.tests[name]
        return run(command, seconds, env=environment, cwd=folder)

    def measure(self, names):
        """Measures the time of each test with the unchanged library; all must pass."""
        missing = [n for n in names if n not in self.times]
        for i, name in enumerate(missing):
            start = time.monotonic()
            status, output = self.test(name, 600)
            if status != 0:
                sys.exit("%s\n%s fails with the unchanged library" % (output[-2000:], name))
            self.times[name] = time.monotonic() - start
            print("  %-28s %6.1f s  (%d of %d)" % (name, self.times[name], i + 1, len(missing)),
                  flush=True)
            with open(self.times_path, "w", encoding="utf-8") as f:
                json.dump(self.times, f)


def stages_of(copy, path):
    """Names of tests by stage, each name once."""
    patterns = next((p for e, p in TESTS_OF if re.search(e, path)), [])
    known, stages = set(), []
    for pattern in patterns + [LAST]:
        names = [n for n in copy.select(pattern) if n not in known]
        known.update(names)
        stages.append(names)
    return stages


def judge(copy, site, slowest):
    """Tests one mutant. Returns the result (a word) and the reason."""
    copy.write(site.path, site.broken())
    try:
        built, output = copy.make("lfm2_internal")
        if not built:
            first = re.search(r"error: .*", output)
            return "not compiled", first.group(0) if first else output[-200:]
        if copy.library() == copy.clean:
            return "same code", ""
        stages = stages_of(copy, site.path)
        for names in stages:
            targets = sorted({copy.target(n) for n in names})
            if targets and not copy.make(*targets)[0]:
                return "not compiled", "the tests do not link"
            if names is stages[-1]:
                names = [n for n in names if copy.times[n] <= slowest]
            for name in sorted(names, key=lambda n: copy.times[n]):
                status, output = copy.test(name, 15 + 8 * copy.times[name])
                if status == "hung":
                    return "killed", name + " (hung)"
                if status != 0:
                    found = re.findall(r"^\[  FAILED  \] (\w+)$", output, re.M)
                    return "killed", name + (": " + found[0] if found else " (%s)" % status)
        return "survived", ""
    finally:
        copy.write(site.path, site.text)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # also ends the running test
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="leave out this many mutants at the start")
    parser.add_argument("--only", default="", metavar="PATTERN")
    parser.add_argument("--mutant", default="", metavar="PREFIX")
    parser.add_argument("--folder", default=os.path.join(REPO, "build-mutation"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--slowest", type=float, default=5, metavar="SECONDS",
                        help="tests of the last stage that take longer are left out")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()

    listed = subprocess.run(["git", "-C", REPO, "ls-files", "src", "kernels"], check=True,
                            stdout=subprocess.PIPE).stdout.decode().split()
    flags = cpu_flags()
    files = [p for p in listed if FILES.search(p) and re.search(options.only, p)]
    away = [p for p in files if not runs_here(p, flags)]
    sites = [s for p in files if p not in away for s in sites_of(p)]
    if options.mutant:
        chosen = [s for s in sites if s.name().startswith(options.mutant)]
    else:
        chosen = sample(sites, options.count, random.Random(options.seed))[options.skip:]
    print("%d places in %d files; %d files are for other CPUs; seed %d" %
          (len(sites), len(files) - len(away), len(away), options.seed), flush=True)
    if options.list:
        for site in chosen:
            print(site.name())
        return 0

    copy = Copy(options.folder, options.jobs)
    copy.measure(sorted({n for s in chosen for names in stages_of(copy, s.path) for n in names}))
    counts = {}
    for number, site in enumerate(chosen, options.skip + 1):
        start = time.monotonic()
        word, why = judge(copy, site, options.slowest)
        counts[word] = counts.get(word, 0) + 1
        print("%3d %-12s %s%s  [%d s]" % (number, word, site.name(), why and "  -- " + why,
                                         time.monotonic() - start), flush=True)
    compiled = counts.get("killed", 0) + counts.get("survived", 0)
    print("\n%d mutants: %s; %d of %d killed (%.0f %%)" %
          (len(chosen), ", ".join("%d %s" % (n, w) for w, n in sorted(counts.items())),
           counts.get("killed", 0), compiled, 100.0 * counts.get("killed", 0) / max(1, compiled)))
    return 0 if counts.get("survived", 0) == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
