#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs llama.cpp's tests of its server against `lfm2 serve`.

  llama_suite.py TESTS [PYTEST-OPTION]...

TESTS is the folder tools/server/tests of llama.cpp, for example in the sources of the PyPI package
llama_cpp_python 0.3.36 (vendor/llama.cpp). Needs the packages pytest, requests, openai. LFM2_PROGRAM,
LFM2_DEMO_MODEL and LFM2_EDIT_GGUF are the program, the model, and the test program lfm2_edit_gguf. Not
part of the tests of ctest.

The folder is copied. In the copy the server of the tests is `lfm2 serve` with the demo model; requests
to llama-server's own endpoints (/completion, /slots) are translated to ours; SUBSTITUTIONS replaces what
depends on the model of the original tests or differs by design; EXCEPTIONS names the tests that are
left out, and why. Tests that need what `lfm2 serve` does not have skip themselves when they start the
server.
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

# In all files: what a text, a number or a name of the original is replaced by.
SUBSTITUTIONS = [
    # The text and the number of tokens of another model.
    (r'== n_prompt\b', '> 0'),
    (r'== original_n_prompt\b', '> 0'),
    # The fingerprint is the model's, not that of a build.
    (r'\.startswith\("b"\)', '.startswith("fp_")'),
    # The first delta has an empty content: clients print null as "null".
    (r'\["content"\] is None', '["content"] == ""'),
    (r'delta\.content is None', 'delta.content == ""'),
    (r"assert len\(choice\['delta'\]\['content'\]\) > 0, .*", 'pass'),
    # A chunk without tokens has no log-probabilities.
    (r'assert choice\.logprobs is not None\n(\s+)assert choice\.logprobs\.content is not None\n\s+for',
     r'assert choice.logprobs is not None or not choice.delta.content\n\1for'),
    (r'in choice\.logprobs\.content:', 'in (choice.logprobs.content if choice.logprobs else []):'),
    # The error is OpenAI's; its message has both numbers.
    (r'\["error"\]\["type"\] == "exceed_context_size_error"',
     '["error"]["code"] == "context_length_exceeded"'),
    (r'assert (\w+)\.body\["error"\]\["n_prompt_tokens"\] > 0', r'pass'),
    (r'assert (\w+)\.body\["error"\]\["n_ctx"\] == (.*)',
     r'assert str(\2) in \1.body["error"]["message"]'),
    (r'"<!doctype html>" in res\.text', '"<!doctype html>" in res.text.lower()'),
    # What llama.cpp's own server does not pass.
    (r'@pytest\.mark\.skip\(reason="This test fails on linux, need to be fixed"\)\n', ''),
    (r'\("temperature", \[0\.0\]\)', '("temperature", [0.0, 1.0])'),
    # The tokenizers differ.
    (r'assert len\(res_tok\.body\["tokens"\]\) > 5', 'assert len(res_tok.body["tokens"]) > 0'),
    (r'\["timings"\]\["prompt_n"\] == (21|6)\b', r'["timings"]["prompt_n"] > 0'),
    (r'\["n_(saved|restored)"\] == 84', r'["n_\1"] > 0'),
]

OTHER = "is about a feature of llama-server that lfm2 serve does not have: "
NATIVE = "is about a response of llama-server's own API: "
EXCEPTIONS = {
    "test_completion.py::test_n_probs": NATIVE + "completion_probabilities",
    "test_completion.py::test_n_probs_stream": NATIVE + "completion_probabilities",
    "test_completion.py::test_n_probs_post_sampling": NATIVE + "post_sampling_probs",
    "test_completion.py::test_n_probs_post_backend_sampling": NATIVE + "post_sampling_probs",
    "test_completion.py::test_completion_response_fields": NATIVE + "response_fields",
    "test_ignore_eos.py": NATIVE + "generation_settings.logit_bias",
    "test_completion.py::test_json_prompt_mtm_error_when_not_supported": OTHER + "images in prompts",
    "test_completion.py::test_completion_with_tokens_input": NATIVE + "text inside arrays of ids",
    "test_completion.py::test_completion_unified": "expects the limit of memory of a shared context",
    "test_chat_completion.py::test_chat_completion_cached_tokens":
        "expects the cached tokens of another tokenizer; unit.serve_chat has the like",
    "test_chat_completion.py::test_invalid_chat_completion_req[messages7]":
        "two answers in a row are allowed: a template decides",
    "test_chat_completion.py::test_chat_completion_with_timings_per_token": NATIVE + "timings",
    "test_chat_completion.py::test_return_progress": NATIVE + "prompt_progress",
    "test_chat_completion.py::test_verbose_debug": NATIVE + "__verbose",
    "test_slot_save.py::test_slot_restore_legacy_token_list": NATIVE + "the format of files",
    "test_chat_completion.py::test_chat_template_assistant_prefill": NATIVE + "__verbose",
    "test_chat_completion.py::test_chat_template_continue_final_message_vllm_compat":
        NATIVE + "__verbose; unit.serve_chat has the like",
    "test_compat_oai_responses.py::test_responses_stream_with_llama_telemetry": NATIVE + "timings",
    "test_template.py::test_date_inside_prompt":
        "expects variables that only llama.cpp gives to templates: date_string, datetime",
    "test_basic.py::test_server_multiple_addresses": OTHER + "a list of addresses in --host",
    "test_basic.py::test_server_props": NATIVE + "/props",
    "test_basic.py::test_server_model_aliases_and_tags": NATIVE + "aliases and tags",
    "test_metrics.py::test_metrics_disabled": "metrics are on a listener of their own",
    "test_security.py::test_access_static_assets_without_api_key": OTHER + "files of a web app",
    "test_security.py::test_cors_options": "there is no CORS: other origins get 403",
    "test_compat_anthropic.py::test_anthropic_tool_result_with_image":
        "an image is an error of the request, 400, not of the server, 500",
    "test_compat_anthropic.py::test_anthropic_vision_format_accepted":
        "an image is an error of the request, 400, not of the server, 500",
    "test_compat_anthropic.py::test_anthropic_empty_messages":
        "a request without messages is an error, as Anthropic has it",
    "test_completion.py::test_completion_with_openai_library":
        "expects that the model never ends a text",
    "test_completion.py::test_logit_bias[False-False]": OTHER + "texts in logit_bias",
    "test_completion.py::test_logit_bias[False-True]": OTHER + "texts in logit_bias",
    "test_ctx_shift.py::test_ctx_shift_disabled_short_prompt[-1-248-True]":
        "expects the number of tokens of another tokenizer",
    "test_ctx_shift.py::test_ctx_shift_disabled_long_prompt":
        "expects the number of tokens of another tokenizer",
}
UNUSED = ["test_router.py", "test_mcp_servers.py", "test_tools_builtin.py", "test_vision_api.py",
          "test_embedding.py", "test_rerank.py", "test_lora.py", "test_infill.py", "test_proxy.py",
          "test_sleep.py", "test_compat_gcp.py"]

CONFTEST = '''
import pytest
from utils import *

@pytest.fixture(autouse=True)
def stop_server_after_each_test():
    yield
    for server in set(server_instances):
        server.stop()

def pytest_collection_modifyitems(items):
    for item in items:
        name = item.nodeid.split("unit/")[-1]
        for key, reason in EXCEPTIONS.items():
            if name == key or name.startswith(key + "[") or name.startswith(key + "::"):
                item.add_marker(pytest.mark.skip(reason=reason))
'''

# Appended to utils.py: the server, and the translation of llama-server's own endpoints.
SHIM = '''
import pytest
import socket
import tempfile

PROGRAM = os.environ["LFM2_PROGRAM"]
MODEL = os.environ["LFM2_DEMO_MODEL"]


def match_regex(regex, text):
    """The model of the tests wrote these words; ours writes others."""
    return isinstance(text, str)


UNAVAILABLE = {
    "chat_template": "templates by their names in llama.cpp",
    "server_embeddings": "embeddings", "server_reranking": "reranking", "lora_files": "LoRA",
    "mmproj_url": "images", "media_path": "images", "model_draft": "draft models",
    "server_tools": "tools of the server", "mcp_servers_config": "MCP", "mcp_servers_json": "MCP",
    "sleep_idle_seconds": "sleeping", "gcp_compat": "GCP", "models_dir": "a router",
    "models_preset": "a router", "enable_ctx_shift": "shifting the context",
    "spec_type": "speculative decoding by options", "cors_origins": "CORS",
    "log_path": "its log", "server_metrics": "metrics under its own names",
    "ui_mcp_proxy": "MCP"}


def download_file(url, output_file_path=None):
    pytest.skip("needs draft models")


def create(self):
    plain_init(self)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        self.server_port = s.getsockname()[1]


def start(self, timeout_seconds=60):
    for name, what in UNAVAILABLE.items():
        if getattr(self, name):
            pytest.skip("needs " + what)
    if self.model_hf_repo is None:
        pytest.skip("needs a router")
    if "gemma" in self.model_hf_repo:
        pytest.skip("needs images")
    # The name of the file is the name of the model; other names are accepted, too.
    self.folder = tempfile.mkdtemp(prefix="llama-suite-")
    path = os.path.join(self.folder, (self.model_alias or "model") + ".gguf")
    if self.chat_template_file:
        template = os.path.join(os.environ["LLAMA_TESTS"], self.chat_template_file)
        subprocess.run([os.environ["LFM2_EDIT_GGUF"], MODEL, path,
                        "tokenizer.chat_template=" + template], check=True)
    else:
        os.symlink(MODEL, path)
    args = [PROGRAM, "serve", path, "--port", str(self.server_port), "-t", "1"]
    if self.n_ctx:
        slots = 1 if self.kv_unified else self.n_slots or 1
        args += ["-c", str(min(self.n_ctx // slots, 2048))]
    if self.n_predict:
        args += ["-n", str(self.n_predict)]
    if self.api_key:
        args += ["--api-key", self.api_key]
    if self.no_ui:
        args += ["--no-ui"]
    if self.slot_save_path:
        args += ["--slot-save-path", self.slot_save_path]
    print("tests: starting server with:", " ".join(args))
    self.process = subprocess.Popen(args)
    server_instances.add(self)
    deadline = time.time() + timeout_seconds
    while time.time() < deadline:
        try:
            headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
            if requests.get(self.make_url("/v1/models"), headers=headers).status_code == 200:
                return
        except requests.exceptions.ConnectionError:
            pass
        if self.process.poll() is not None:
            raise RuntimeError(f"Server process died with return code {self.process.returncode}")
        time.sleep(0.01)
    raise TimeoutError("Server did not start")


def prepare(self, path, data):
    """The defaults of the server that the tests set by its options. The model of the tests never
    ends a text by itself."""
    if not isinstance(data, dict):
        return data
    if self.reasoning is not None:
        data = {"chat_template_kwargs": {"enable_thinking": self.reasoning != "off"}, **data}
    if not path.endswith(("/completion", "/completions")):
        return data
    data = {"temperature": self.temperature, "seed": self.seed, **data}
    if not any(k in data for k in ("response_format", "json_schema", "grammar", "tools")):
        data.setdefault("ignore_eos", True)
    return data


def to_text(self, data):
    """A request to /completion as one to /v1/completions."""
    data = dict(data)
    n = data.pop("n_predict", self.n_predict or -1)
    data["max_tokens"] = n
    if isinstance(data.get("prompt"), dict):
        data["prompt"] = data["prompt"]["prompt_string"]
    slot = data.pop("id_slot", None)
    if slot is not None and self.slot_save_path:
        data["session"] = f"slot{slot}"
        data["cache_prompt"] = False
    return data


def settings(self, data):
    return {"n_predict": data["max_tokens"], "seed": data["seed"], "adaptive_target": 0,
            "adaptive_decay": 0, "logit_bias": []}


def from_choice(self, data, body, choice):
    text, usage = choice["text"], body["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    n = usage["completion_tokens"]
    return {"content": text, "stop": True, "truncated": False, "has_new_line": "\\n" in text,
            "tokens": [0] * n if data.get("return_tokens") else [],
            "stop_type": "limit" if choice["finish_reason"] == "length" else "eos",
            "generation_settings": settings(self, data), "prompt": data["prompt"],
            "timings": {"prompt_n": usage["prompt_tokens"] - cached, "cache_n": cached,
                        "predicted_n": n}}


plain_init = ServerProcess.__init__
plain_request = ServerProcess.make_request
plain_stream = ServerProcess.make_stream_request


def slot_request(self, path, data):
    slot, action = re.match(r"/slots/(\\d+)\\?action=(\\w+)", path).groups()
    name = f"/v1/sessions/slot{slot}"
    if action == "erase":
        return plain_request(self, "DELETE", name)
    file = "/v1/sessions/" + data["filename"]
    if action == "save":
        plain_request(self, "POST", name + "/fork", {"to": data["filename"]})
        res = plain_request(self, "POST", file + "/save", {})
        res.body["n_saved"] = res.body["tokens"]
    else:
        res = plain_request(self, "POST", file + "/restore", {})
        res.body["n_restored"] = res.body["tokens"]
        plain_request(self, "POST", file + "/fork", {"to": f"slot{slot}"})
    return res


def make_request(self, method, path, data=None, headers=None, timeout=600, host=None):
    if path.startswith("/slots/"):
        return slot_request(self, path, data)
    if path == "/slots":
        pytest.skip("needs /slots")
    data = prepare(self, path, data)
    if path in ("/completion", "/completions"):
        data = to_text(self, data)
        res = plain_request(self, method, "/v1/completions", data, headers, timeout, host)
        if res.status_code == 200:
            answers = [from_choice(self, data, res.body, c) for c in res.body["choices"]]
            res.body = answers if len(answers) > 1 else answers[0]
        return res
    return plain_request(self, method, path, data, headers, timeout, host)


def make_stream_request(self, method, path, data=None, headers=None, host=None):
    data = prepare(self, path, data)
    if path != "/completion":
        if path == "/v1/completions":
            data = to_text(self, data)
        yield from plain_stream(self, method, path, data, headers, host)
        return
    data = to_text(self, data)
    data["stream_options"] = {"include_usage": True}
    last = None
    for chunk in plain_stream(self, method, "/v1/completions", data, headers, host):
        if not chunk["choices"]:
            yield {**from_choice(self, data, chunk, last), "content": ""}
        elif chunk["choices"][0]["finish_reason"] is None:
            yield {"content": chunk["choices"][0]["text"], "stop": False, "tokens": [0]}
        else:
            last = chunk["choices"][0]
            yield {"content": last["text"], "stop": False, "tokens": [0]}


ServerProcess.__init__ = create
ServerProcess.start = start
ServerProcess.make_request = make_request
ServerProcess.make_stream_request = make_stream_request
'''


def copy_tests(source, target):
    shutil.copytree(source, target, dirs_exist_ok=True)
    for name in UNUSED:
        os.remove(os.path.join(target, "unit", name))
    with open(os.path.join(target, "conftest.py"), "w", encoding="utf-8") as f:
        f.write(f"EXCEPTIONS = {EXCEPTIONS!r}\n" + CONFTEST)
    path = os.path.join(target, "utils.py")
    with open(path, encoding="utf-8") as f:
        text = f.read().replace("import wget\n", "")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + SHIM)
    for name in ["../utils.py", *os.listdir(os.path.join(target, "unit"))]:
        path = os.path.join(target, "unit", name)
        if name.endswith(".py"):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for pattern, replacement in SUBSTITUTIONS:
                text = re.sub(pattern, replacement, text)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as target:
        copy_tests(sys.argv[1], target)
        command = [sys.executable, "-m", "pytest", "-m", "not slow", "-rs", "-q", "--tb=short",
                   "-p", "no:cacheprovider", *(sys.argv[2:] or ["unit"])]
        tests = os.path.abspath(sys.argv[1])
        run = subprocess.run(command, cwd=target,
                             env={**os.environ, "PYTHONPATH": target, "LLAMA_TESTS": tests},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(run.stdout)
    reasons = collections.Counter()
    for count, reason in re.findall(r"SKIPPED \[(\d+)\] \S+ (.*)", run.stdout):
        reasons[reason] += int(count)
    for reason, count in sorted(reasons.items()):
        print(f"left out: {count:3} {reason}")
    sys.exit(run.returncode)


main()
