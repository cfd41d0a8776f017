# SPDX-License-Identifier: Apache-2.0
"""The files of tools/deploy agree with the program and with each other: options, ports, paths, times.
Their schemas are checked by tools/deploy/validate, which needs the network. The README's first
commands for `serve` and `batch` work."""
import re
import shutil

from common import *

DEPLOY = os.environ["LFM2_REPO"] + "/tools/deploy/"


def scalar(text):
    """A plain or quoted value, or a list in brackets."""
    if text.startswith("["):
        return [scalar(part.strip()) for part in text[1:-1].split(",")]
    if text[:1] == '"' or re.fullmatch(r"-?\d+", text):
        return json.loads(text) if not re.fullmatch(r"0\d+", text) else int(text, 8)
    return {"true": True, "false": False}.get(text, text)


def block(lines, indent):
    """Reads a block of YAML, of the forms that the files use, from (indent, text) pairs."""
    value = None
    while lines and lines[0][0] == indent:
        text = lines[0][1]
        if text.startswith("- "):
            value = value if value is not None else []
            lines[0] = (indent + 2, text[2:])
            value.append(block(lines, indent + 2))
            continue
        key = re.match(r"([^\s\":\[]+):(?: (.*))?$", text)
        if not key:
            lines.pop(0)
            return scalar(text)
        lines.pop(0)
        value = value if value is not None else {}
        check(key.group(1) not in value, f"the key {key.group(1)} occurs once")
        deeper = lines and (lines[0][0] > indent or
                            (lines[0][0] == indent and lines[0][1].startswith("- ")))
        value[key.group(1)] = (scalar(key.group(2)) if key.group(2) else
                               block(lines, lines[0][0]) if deeper else None)
    return value


def documents(name):
    with open(DEPLOY + name, encoding="utf-8") as f:
        parts = f.read().split("\n---\n")
    for part in parts:
        lines = []
        for line in part.split("\n"):
            line = re.sub(r"(^|\s)#.*", "", line).rstrip()
            if line:
                lines.append((len(line) - len(line.lstrip()), line.lstrip()))
        yield block(lines, 0)
        check(not lines, f"{name} is read to its end")


def options_of_serve():
    text = subprocess.run([os.environ["LFM2_PROGRAM"], "help", "serve"], check=True,
                          capture_output=True).stdout.decode()
    return set(re.findall(r"--[a-z][a-z-]*", text))


def test_kubernetes(options):
    deployment, service = documents("kubernetes.yaml")
    check([d["kind"] for d in (deployment, service)] == ["Deployment", "Service"], "the kinds")
    labels = deployment["spec"]["selector"]["matchLabels"]
    template = deployment["spec"]["template"]
    check(template["metadata"]["labels"] == labels, "the Deployment selects its pods")
    check(service["spec"]["selector"] == labels, "the Service selects them too")
    pod = template["spec"]
    container, = pod["containers"]
    arguments = dict(a.split("=", 1) for a in container["args"])
    for option in arguments:
        check(option in options, f"serve has {option}")
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    check(arguments["--port"] == str(ports["http"]), "the port of the API")
    check(arguments["--admin"].endswith(f":{ports['admin']}"), "the port of the admin listener")
    check(service["spec"]["ports"][0]["targetPort"] in ports, "the port of the Service")
    notes = template["metadata"]["annotations"]
    check(notes["prometheus.io/port"] == str(ports["admin"]), "the port that is scraped")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = container[probe]["httpGet"]
        check(get["port"] == "admin" and get["path"] in ("/health/live", "/health/ready"), probe)
    check(container["livenessProbe"]["httpGet"]["path"] == "/health/live",
          "a pod that drains is not restarted")
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    check(pod["terminationGracePeriodSeconds"] > pause + int(arguments["--drain-timeout"]),
          "there is time for the drain")
    check(container["resources"]["requests"] == container["resources"]["limits"],
          "the pod has the quality of service Guaranteed")
    secure = container["securityContext"]
    check(secure["readOnlyRootFilesystem"] is True and secure["capabilities"]["drop"] == ["ALL"] and
          secure["allowPrivilegeEscalation"] is False, "the container has no rights")
    volumes = {v["name"] for v in pod["volumes"]}
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    check(set(mounts) == volumes, "the volumes are mounted")
    check(arguments["--model"].startswith(mounts["models"]), "the model is in its volume")
    check(arguments["--api-key-file"].startswith(mounts["keys"]), "the keys are in theirs")
    return pod["securityContext"]["runAsUser"], ports


def test_container(options, user, ports):
    with open(DEPLOY + "Containerfile", encoding="utf-8") as f:
        text = f.read()
    check(f"\nUSER {user}:{user}\n" in text, "the image's user is that of the pods")
    check("EXPOSE " + " ".join(str(p) for p in ports.values()) in text, "the ports of the image")
    check("/health/live" in text and "STOPSIGNAL SIGTERM" in text, "health and end of the image")
    for source in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.M):
        for path in source.split():
            check(os.path.exists(os.path.join(os.environ["LFM2_REPO"], path)), f"{path} exists")
    command = json.loads(re.search(r"^CMD (\[.*\])$", text, re.M).group(1))
    for option in (a.split("=")[0] for a in command):
        check(option in options, f"serve has {option}")


def test_metrics():
    """What the endpoint picker reads is there."""
    server = Server([os.environ["LFM2_PROGRAM"], "serve", "-t", "1", "--port", "0", "--admin",
                     "127.0.0.1:0"])
    text = ask(server.port("admin"), "/metrics").body.decode()
    server.stop()
    config, = documents("llm-d.yaml")
    names = {p["pluginRef"] for profile in config["schedulingProfiles"] for p in profile["plugins"]}
    check(names <= {p["type"] for p in config["plugins"]}, "the profile refers to plugins")
    engine, = [p for p in config["plugins"] if "parameters" in p][0]["parameters"]["engineConfigs"]
    for member, name in engine.items():
        if member.endswith("Spec"):
            check(re.search(rf"^{re.escape(name)}[ {{]", text, re.M), f"there is a metric {name}")


def test_readme():
    """The first commands of the README."""
    with open(os.environ["LFM2_REPO"] + "/README.md", encoding="utf-8") as f:
        text = f.read()
    path, body = re.search(r"curl http://127.0.0.1:8080(\S+) -H 'Content-Type: application/json' "
                           r"\\\n +-d '([^']*)'\n", text).groups()
    server = Server([os.environ["LFM2_PROGRAM"], "serve", "-t", "1", "--port", "0"])
    got = ask(server.port(), path, "POST", body.encode())
    check(got.status == 200 and got.json()["choices"][0]["message"]["content"], "curl's request")
    server.stop()
    commands = re.search(r"(    echo '.*?    build/lfm2 batch in.jsonl out.jsonl\n)", text, re.S).group(1)
    with folder() as work:
        commands = commands.replace("build/lfm2", os.environ["LFM2_PROGRAM"])
        done = subprocess.run(["bash", "-ec", commands], cwd=work, check=False)
        with open(f"{work}/out.jsonl", encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
    check(done.returncode == 0 and [a["response"]["status_code"] for a in lines] == [200],
          "the batch")


def test_proxy():
    program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program:
        got = subprocess.run([program, "-c", "-f", DEPLOY + "haproxy.cfg"], capture_output=True,
                             check=False)
        check(got.returncode == 0 and b"WARNING" not in got.stdout + got.stderr,
              f"HAProxy accepts its configuration: {got.stderr.decode()}")


serve_options = options_of_serve()
test_container(serve_options, *test_kubernetes(serve_options))
test_metrics()
test_readme()
test_proxy()
finish()
