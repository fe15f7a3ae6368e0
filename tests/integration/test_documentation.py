# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation shows is true: commands run, YAML parses, modules return what they say."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.plugin_utils.tree import tree
from tests.integration.test_examples import MODULES, assigned
from tests.world import World, changed, stack

from lab.launcher import Launcher

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
         *sorted((ROOT / "docs" / "decisions").glob("*.md")),
         *sorted((ROOT / "roles").glob("*/README.md"))]
SECRET = "emulated-secret-key"
# Commands that cannot run inside of the tests: where they run, or what they start does, and how.
ELSEWHERE = {
    "make test": (".ci/run", "make test"),
    "make demo": ("tests/integration/test_demo.py", "tools/demo.py"),
    "make lab": ("tests/unit/lab/test_server.py", "launcher.start("),
    "make lab-stop": ("tests/unit/lab/test_server.py", "launcher.stop("),
    ".venv/bin/python -m lab.kube": ("tests/unit/lab/test_kube_build.py", "build.build("),
}
NETWORK = {"network": {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"]}}
NOT_OURS = {"changed", "diff", "failed", "msg", "warnings"}  # documented by Ansible


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", page.read_text(), re.M | re.S)
    return [textwrap.dedent(text) for _indent, text in found]


def commands(page: Path) -> list[list[str]]:
    """The words of every command in the order of the page."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def having(language: str) -> list:
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, language)]


@pytest.fixture(name="launcher")
def _launcher(tmp_path):
    launcher = Launcher(tmp_path / "lab")
    launcher.start()
    yield launcher
    launcher.stop()


@pytest.fixture(name="checkout")
def _checkout(tmp_path):
    """What commands are run in: what they write does not end up in the real one."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("ansible.cfg", "inventories", "playbooks", "lab", ".collections", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def pointed(words: list[str], launcher: Launcher) -> tuple[list[str], dict]:
    """The command and its environment, with the test's lab in the place of the one it means."""
    endpoint, program = launcher.running() or {}, words[0]
    if program == "ansible-playbook" and "inventories/lab" in words:
        config = launcher.folder / "config"  # what is set for other work is not in the way
        config.write_text("[profile work]\n")
        return [*words, "-e", f"aws_endpoint_url={endpoint['endpoint']}"], {
            "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "of-work"}
    if program == "ansible-playbook":
        return words, {"AWS_ENDPOINT_URL": endpoint["endpoint"],
                       "AWS_ACCESS_KEY_ID": "LAB0111122223333", "AWS_SECRET_ACCESS_KEY": SECRET}
    if words[1:3] == ["-m", "lab"]:
        return [*words, "--state", str(launcher.folder)], {}
    return words, {}


@pytest.mark.parametrize("page", having("sh"))
def test_commands(page, launcher, checkout):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    for words in commands(page):
        if shlex.join(words) in ELSEWHERE:
            continue
        command, more = pointed(words, launcher)
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=300,
                              env={**kept, "LC_ALL": "C.UTF-8", "PATH": path, **more},
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-5000:]}{done.stderr}"
        if "plan_file=plan.json" in words:
            assert json.loads((checkout / "plan.json").read_text())["plan"]


def test_commands_that_run_elsewhere():
    used = {shlex.join(words) for page in PAGES for words in commands(page)}
    used |= {text for page in PAGES for text in re.findall(r"`(make [\w-]+)`", page.read_text())}
    known = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    targets = {f"make {line.split()[0]}" for line in known.stdout.splitlines()}
    assert {text for text in used if text.startswith("make ")} <= targets
    assert all(how in (ROOT / place).read_text() for place, how in ELSEWHERE.values())
    assert set(ELSEWHERE) <= used


@pytest.mark.parametrize("page", having("yaml"))
def test_yaml(page):
    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)


def test_links():
    wrong = [f"{page.name}: {target}" for page in PAGES
             for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
             if not (page.parent / target).exists()]
    assert not wrong


def alike(plan: str) -> str:
    """A plan without what differs from run to run: ids and the number of reads."""
    return re.sub(r"\d+ reads", "N reads", re.sub(r"-[0-9a-f]{17}\b", "-ID", plan)).strip()


def test_plan_of_the_readme():
    """It is the plan of a stack as it was built, with the two options changed that are named."""
    world, wanted = World(), stack("sentineltranslate-dev")
    assert not world.run(wanted)["failed"]
    for path, value in (("network.nat_gateways", "one_per_zone"),
                        ("eks_nodegroups.nodegroups.gpu.max_size", 4)):
        wanted = changed(wanted, {"path": ["components", *path.split(".")], "to": value})
    shown = next(text for text in blocks(ROOT / "README.md", "text") if "stack " in text)
    assert alike(shown) == alike(tree(world.run(wanted, check=True)))


def test_costs_of_the_readme():
    """Numbers and sizes are the stack's; each line is its price, a month long."""
    rows = dict(re.findall(r"^\| (.*?) \| (\d+\.\d\d) \|$", (ROOT / "README.md").read_text(), re.M))
    parts = stack("sentineltranslate-dev")["components"]
    groups = parts["eks_nodegroups"]["nodegroups"]
    nodes = {n: (g["desired_size"], g["instance_types"][0]) for n, g in groups.items()}
    disks = sum(g["desired_size"] * g["disk_size"] for g in groups.values())
    product = ROOT / "inventories" / "platform" / "group_vars" / "sentineltranslate"
    services = yaml.safe_load((product / "services.yml").read_text())["workload_services"]
    balancers = len({s["ingress"].get("group") for s in services if "ingress" in s})
    zones = len(parts["network"]["availability_zones"])  # an address in each
    assert parts["network"]["nat_gateways"] == "one" and not parts["network"].get("flow_logs")
    assert list(rows) == [next(r for r in rows if r.startswith(start)) for start in (
        "EKS control plane", "1 NAT gateway", "{} {}".format(*nodes["cpu"]),
        "{} {}".format(*nodes["gpu"]), f"{disks} GB gp3", f"{balancers} load balancer",
        f"{balancers * zones} public addresses of that", "all")]
    for what, cost in list(rows.items())[:-1]:
        prices = [float(price) for price in re.findall(r"\b0\.\d+", what)]
        count = int(found[0]) if (found := re.match(r"\d+", what)) else 1
        hours = 1 if " a GB" in what else 730
        assert f"{count * sum(prices) * hours:.2f}" == cost, what
    assert f"{sum(float(cost) for what, cost in rows.items() if what != 'all'):.2f}" == rows["all"]


def returned(module: str) -> dict:
    return yaml.safe_load(assigned(MODULES[module], "RETURN"))


def test_what_modules_return():
    world, told = World(), returned("stack")
    problems = {"problems"}
    assert set(world.run(NETWORK, check=True)) - NOT_OURS == set(told) - problems
    done = world.run(NETWORK)
    assert set(done) - NOT_OURS == set(told) - problems
    assert set(done["plan"][0]) == set(told["plan"]["contains"])
    warned = world.run({**NETWORK, "s3_buckets": {"buckets": {"logs": {"force_destroy": True}}}},
                       check=True, production=True)
    assert set(warned["findings"][0]) == set(told["findings"]["contains"])
    failed = World(deny={"*": ["ec2:CreateSubnet"]}).run(NETWORK)
    assert failed["failed"] and set(failed) - NOT_OURS == set(told)


def samples_away(node):
    """Documentation without its samples, which are a module's own."""
    return {k: samples_away(v) for k, v in node.items() if k != "sample"} \
        if isinstance(node, dict) else node


def test_modules_return_the_same():
    told = samples_away(returned("stack"))
    assert [m for m in MODULES if m != "stack_info" and samples_away(returned(m)) != told] == []
