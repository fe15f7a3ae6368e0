# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbooks as users run them: processes of their own against a lab behind a port."""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).parents[2]
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
SECRET, TOKEN, GIVEN = "s3cr3t-canary-4711", "t0ken-canary-0815", "g1ven-canary-2342"
NETWORK = {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a", "us-east-1b"]}


class Lab:
    """A lab of the test's own, and playbooks against it."""

    def __init__(self, folder: Path, **settings):
        self.folder = folder
        self._lab("start", "--settings", json.dumps({"kubernetes": False, **settings}))
        self.endpoint = json.loads((folder / "state.json").read_text())["endpoint"]

    def _lab(self, *arguments):
        subprocess.run([sys.executable, "-m", "lab", *arguments, "--state", str(self.folder)],
                       cwd=ROOT, check=True, capture_output=True)

    def stop(self):
        self._lab("stop")

    def control(self, path: str, method: str = "GET", body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.endpoint}/_lab/{path}", method=method, data=data)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or "null")

    def command(self, playbook: str, *options: str) -> list[str]:
        keys = {"aws_endpoint_url": self.endpoint, "aws_access_key": "LAB0{{ aws_account_id }}",
                "aws_secret_key": SECRET, "aws_session_token": TOKEN}
        file = self.folder.with_suffix(".json")  # what is on a command line, everybody may read
        file.write_text(json.dumps(keys))
        return [PLAYBOOK, f"playbooks/{playbook}.yml", "-e", f"@{file}", *options]

    def run(self, playbook: str, *options: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(playbook, *options), cwd=ROOT, check=False, text=True,
                              capture_output=True, env=environment())


def environment() -> dict:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_"))}
    return {**kept, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}


@pytest.fixture(name="lab")
def _lab(tmp_path):
    lab = Lab(tmp_path / "lab")
    yield lab
    lab.stop()


@pytest.fixture(name="inventory")
def _inventory(tmp_path):
    """Writes an inventory of small stacks: {host: variables}; `production` is a group."""
    def write(hosts: dict, production=()) -> str:
        common = {"aws_region": "us-east-1", "aws_account_id": "123456789012"}
        for name, variables in hosts.items():
            product, environment_name = name.rsplit("-", 1)
            hosts[name] = {"stack_product": product, "stack_environment": environment_name,
                           "network": NETWORK, **common, **variables}
        groups = {"production": {"hosts": {name: None for name in production}}}
        file = tmp_path / "stacks.json"
        file.write_text(json.dumps({"all": {"hosts": hosts, "children": groups}}))
        return str(file)
    return write


def test_several_stacks_at_the_same_time(lab, inventory):
    hosts = inventory({"acme-dev": {}, "acme-staging": {}})
    done = lab.run("site", "-i", hosts)
    assert done.returncode == 0, done.stdout
    assert "stack acme-dev: " in done.stdout and "stack acme-staging: " in done.stdout
    vpcs = lab.control("inventory")["ec2.vpc"]
    assert {v["tags"]["groundwork:stack"] for v in vpcs} == {"acme-dev", "acme-staging"}


def test_production_needs_limit(lab, inventory):
    hosts = inventory({"acme-dev": {}, "acme-prod": {}}, production=["acme-prod"])
    for unnamed in ((), ("--limit", ""), ("-e", "stack_plan_only=false")):
        done = lab.run("site", "-i", hosts, *unnamed)
        assert done.returncode == 2
        assert "acme-prod is a production stack: name it with --limit" in done.stdout + done.stderr
    assert lab.run("plan", "-i", hosts).returncode == 0
    assert lab.run("site", "-i", hosts, "--limit", "acme-prod").returncode == 0


def test_two_hosts_for_one_stack(lab, inventory):
    hosts = inventory({"acme-dev": {}, "acme2-dev": {"stack_product": "acme"}})
    done = lab.run("plan", "-i", hosts)
    assert done.returncode == 2
    assert "acme-dev and acme2-dev are the same stack" in done.stdout + done.stderr


def test_misspelt_component(lab, inventory):
    done = lab.run("plan", "-i", inventory({"acme-dev": {"netwrok": {}}}))
    assert done.returncode == 2
    assert "did you mean network?" in done.stdout + done.stderr
    done = lab.run("plan", "-i", inventory({"acme-dev": {"stack_override": {}, "stack_prunes": 1}}))
    for name in ("stack_overrides", "stack_prune"):
        assert f"a stack has none of this name; did you mean {name}?" in done.stdout + done.stderr
    done = lab.run("plan", "-i", inventory({"acme-dev": {"stack_overrides": {"netwok": {}}}}))
    assert "netwok: unknown component; did you mean network?" in done.stdout + done.stderr


def test_drift_and_plan_file(lab, inventory, tmp_path):
    hosts = inventory({"acme-dev": {}})
    file = tmp_path / "plan.json"
    done = lab.run("plan", "-i", hosts, "--diff", "-e", f"plan_file={file}")
    assert done.returncode == 0
    assert done.stdout.rindex(" to create, ") > done.stdout.rindex("+++ after: network/")
    found = json.loads(file.read_text())
    assert found["summary"]["create"] == len(found["plan"]) > 10
    wanted = {"key", "type", "action", "impact", "expected_seconds", "before", "after", "unknown"}
    assert all(wanted <= set(change) for change in found["plan"])
    assert lab.run("drift", "-i", hosts).returncode == 2
    assert lab.run("site", "-i", hosts).returncode == 0
    assert lab.run("drift", "-i", hosts).returncode == 0


def test_what_is_left_over_is_drift(lab, inventory):
    hosts = inventory({"acme-dev": {"log_groups": {"groups": {"kept": {}, "gone": {}}}}})
    assert lab.run("site", "-i", hosts).returncode == 0
    hosts = inventory({"acme-dev": {"log_groups": {"groups": {"kept": {}}}}})
    for playbook, code, *options in (
            ("drift", 2), ("site", 0), ("drift", 2), ("site", 0, "-e", "stack_prune=true"),
            ("drift", 0)):
        done = lab.run(playbook, "-i", hosts, *options)
        assert done.returncode == code, done.stdout + done.stderr
        drifted = "acme-dev has drifted: log_groups/log_group/gone (left over)"
        assert (drifted in " ".join(done.stdout.split())) == bool(code)


def test_roles_of_the_cluster(lab, inventory, tmp_path):
    """They are planned before there is a cluster, and left out where there is no way to one."""
    hosts = inventory({"acme-dev": {"eks_cluster": {"version": "1.35"}, "stack_roles": ["tenancy"],
                                    "tenancy_namespaces": [{"name": "shop"}]}})
    file = tmp_path / "plan.json"
    assert lab.run("plan", "-i", hosts, "-e", f"plan_file={file}").returncode == 0
    found = json.loads((tmp_path / "plan-tenancy.json").read_text())["plan"]
    assert {change["action"] for change in found} == {"create"}
    assert "tenancy/namespace/shop" in [change["key"] for change in found]
    assert json.loads(file.read_text())["plan"]
    for playbook in ("site", "drift"):
        done = lab.run(playbook, "-i", hosts, "-i", "inventories/lab")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "tenancy left out: this lab has no real clusters" in done.stdout
        assert "tenancy/namespace" not in done.stdout


def test_what_roles_do_not_take_is_refused_before_anything_is_made(lab, inventory):
    """All of it at once, without the specification that Ansible would show with it."""
    tenant = {"name": "a", "secret": "s"}
    stack = {"eks_cluster": {"version": "1.35"}, "postgres_tenancy_tenants": [tenant, tenant],
             "stack_roles": ["tenancy", "postgres_tenancy", "workload"],
             **dict.fromkeys(["postgres_tenancy_database", "postgres_tenancy_admin_secret"], "a"),
             **dict.fromkeys(["postgres_tenancy_host", "postgres_tenancy_reader_host",
                              "postgres_tenancy_port", "postgres_tenancy_login_secret"], 1),
             "workload_namespaces": [{"name": "shop"}], "workload_services": [{"name": "web"}]}
    told = [{**stack, "tenancy_namespaces": [{"name": "shop", "alow": []}],
             "workload_services": [{"name": "web", "image": "a", "ports": [{"port": "a"}]}]}, (
                 "tenancy_namespaces.alow. Supported parameters include: allow, ",
                 "argument 'port' is of type str found in 'workload_services -> ports'")], [stack, (
                     "postgres_tenancy: postgres_tenancy_tenants: a and a are one name",
                     "workload: web: image is missing; ECR has no repository of its name")]
    for variables, says in told:
        done = lab.run("site", "-i", inventory({"acme-dev": variables}))
        text = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 2
        assert all(line in text for line in says), text
        assert len((done.stdout + done.stderr).splitlines()) < 50, text
    assert not any(lab.control("inventory").values())
    misspelt = {"eks_cluster": {"version": "1.35"}, "stack_roles": ["tenancy"],
                "tenancy_namespace": [{"name": "shop"}]}
    done = lab.run("plan", "-i", inventory({"acme-dev": misspelt}))
    assert "variable tenancy_namespace: a stack has none of this name; did you mean " \
        "tenancy_namespaces?" in done.stdout + done.stderr


def test_each_stack_has_a_plan_file_of_its_own(lab, inventory, tmp_path):
    hosts, file = inventory({"acme-dev": {}, "acme-staging": {}}), tmp_path / "plan.json"
    done = lab.run("plan", "-i", hosts, "-e", f"plan_file={file}")
    assert done.returncode == 2 and not file.exists()
    assert "acme-dev and acme-staging have one plan_file: give each its own, such as " \
        "plan-{{ inventory_hostname }}.json" in done.stdout + done.stderr
    own = tmp_path / "plan-{{ inventory_hostname }}.json"
    assert lab.run("plan", "-i", hosts, "-e", f"plan_file={own}").returncode == 0
    assert {json.loads(f.read_text())["stack"] for f in tmp_path.glob("plan-*.json")} == \
        {"acme-dev", "acme-staging"}


def test_two_runs_of_one_stack_make_no_duplicate(lab, inventory):
    hosts = inventory({"acme-dev": {}})
    lab.control("settings", "PUT", {"latency_ms": 30})
    runs = [subprocess.Popen(lab.command("site", "-i", hosts), cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
            for _turn in range(2)]
    outputs = [run.communicate()[0] for run in runs]
    codes = sorted(run.returncode for run in runs)
    assert codes in ([0, 0], [0, 2]), outputs
    if codes == [0, 2]:
        assert any("lease acme-dev: " in text for text in outputs), outputs
    assert len(lab.control("inventory")["ec2.vpc"]) == 1
    assert lab.run("drift", "-i", hosts).returncode == 0


def test_killed_process_and_the_next_run(lab, inventory):
    """The lease of a process of this machine that no longer runs is taken over at once."""
    hosts = inventory({"acme-dev": {}})
    lab.control("faults", "PUT", [
        {"match": "ec2.CreateSubnet", "nth": 2, "when": "after", "what": "kill"}])
    assert lab.run("site", "-i", hosts).returncode != 0
    lab.control("faults", "PUT", [])
    done = lab.run("site", "-i", hosts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(lab.control("inventory")["ec2.subnet"]) == 4
    assert lab.run("drift", "-i", hosts).returncode == 0


@pytest.fixture(name="short")
def _short():
    """A folder whose path leaves room for sockets, which pytest's own does not."""
    with tempfile.TemporaryDirectory(prefix="stopped-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_control_c_names_the_rest(lab, inventory, short, number):
    """As a terminal does it: the signal goes to the group of ansible-playbook."""
    hosts, kept = inventory({"acme-dev": {}}), short
    lab.control("settings", "PUT", {"time_scale": 0.1})  # 10 s for the NAT gateway
    with subprocess.Popen(lab.command("site", "-i", hosts), cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                          env={**environment(), "TMPDIR": str(kept)}) as run:
        while not lab.control("inventory").get("ec2.nat_gateway"):
            assert run.poll() is None
            time.sleep(0.05)
        os.killpg(run.pid, number)
        text = run.communicate(timeout=60)[0]
    assert run.returncode
    told = dict(re.findall(r"acme-dev: stopped: ([^(,]*)[^(]* \(\d+\): (.*)", text))
    assert told.keys() >= {"done", "in flight", "not begun"}, text
    assert "failed" not in text and "skipped" not in text, text
    keys = {key for names in told.values() for key in names.split(", ")}
    assert keys == {*re.findall(r"    \+ (\S+)", text)}
    assert "network/nat_gateway/a" in told["in flight"]
    assert not list(kept.glob("groundwork-*"))
    lab.control("settings", "PUT", {"time_scale": 0.01})
    done = lab.run("site", "-i", hosts)
    assert done.returncode == 0, done.stdout  # no lease is left, nothing is made twice
    assert lab.run("drift", "-i", hosts).returncode == 0


def test_stopped_before_the_first_change(lab, inventory):
    hosts = inventory({"acme-dev": {}})
    lab.control("settings", "PUT", {"latency_ms": 2000})
    with subprocess.Popen(lab.command("site", "-i", hosts), cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                          env=environment()) as run:
        while not lab.control("calls?log=0")["reads"]:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        text = run.communicate(timeout=60)[0]
    assert "acme-dev: stopped before anything was changed" in text
    assert not lab.control("calls?log=0")["writes"]


class Watch(threading.Thread):
    """Reads the command lines of all processes until it is told to stop."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.ended = set(), threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it has ended
                    self.seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))


def test_secrets_are_shown_nowhere(lab, inventory, tmp_path):
    """Credentials, and values that AWS makes, at the loudest, in a plan file, in a failure."""
    secrets = {"secrets": {"token": {"deletion_protection": False, "generate_secret_string": {
        "secret_string_template": {"key": GIVEN}, "generate_string_key": "password"}}}}
    hosts, watch = inventory({"acme-dev": {"secrets": secrets}}), Watch()
    watch.start()
    texts, plan = [], tmp_path / "plan.json"
    for playbook, code, *options in (
            ("plan", 0, "--diff", "-e", f"plan_file={plan}"), ("site", 0, "--diff"),
            ("site", 0, "--diff"), ("drift", 0), ("site", 2, "-e", "aws_access_key=LABEXPIRED01")):
        done = lab.run(playbook, "-i", hosts, "-vvvvv", *options)
        assert done.returncode == code, done.stdout[-3000:]
        texts.append(done.stdout + done.stderr)
    watch.ended.set()
    watch.join()
    assert any("ansible-playbook" in line and str(plan) in line for line in watch.seen)
    client = boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=lab.endpoint,
                          aws_access_key_id="LAB0123456789012", aws_secret_access_key="x")
    value = client.get_secret_value(SecretId="acme-dev/token")["SecretString"]
    made = json.loads(value)
    assert made["key"] == GIVEN
    for text in (*texts, plan.read_text(), *watch.seen):
        assert not [canary for canary in (*made.values(), SECRET, TOKEN) if canary in text]
