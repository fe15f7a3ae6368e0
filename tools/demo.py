"""Tell one story on an emulated AWS with the real playbooks, and close with a table.

Plan, build, second run, a look into the cluster, one changed option, manual changes found as drift
and repaired, removal. The control plane of the cluster is built once; where it cannot be, the story
is that of AWS alone.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab.kube.build import BuildError, build  # noqa: E402  # the path comes first
from lab.kube.fleet import NEEDED  # noqa: E402

STATE = ROOT / ".lab" / "demo"
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
# AWS's usual durations pass 200 times faster, so that waiting can be seen and not felt.
SETTINGS = {"time_scale": 0.005}
# Stack -> the one option that is changed, as a way into stack_overrides, and its value.
CHANGES = {
    "sentineltranslate-dev": ("eks_nodegroups.nodegroups.gpu.max_size", 4),
    "pingvas-shared": ("eks_nodegroups.nodegroups.system.max_size", 4),
}
# Stack -> what somebody deletes in its cluster.
DELETED = {
    "sentineltranslate-dev": ("horizontalpodautoscaler/api", "--namespace", "sentineltranslate"),
    "pingvas-shared": ("networkpolicy/default-deny", "--namespace", "prod"),
}


def lab(state, *arguments):
    command = [sys.executable, "-m", "lab", *arguments, "--state", str(state)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def control(endpoint, path, method="GET"):
    request = urllib.request.Request(f"{endpoint}/_lab/{path}", method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


class Story:
    """Steps of playbooks, each with its time and its API calls."""

    def __init__(self, stack, state):
        self.stack, self.state, self.rows = stack, state, []
        self.endpoint = json.loads((state / "state.json").read_text())["endpoint"]
        self.begun = time.monotonic()

    def say(self, text):
        print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)

    def command(self, playbook, *options):
        return [PLAYBOOK, "-i", "inventories/platform", "-i", "inventories/lab",
                f"playbooks/{playbook}.yml", "--limit", self.stack, *options]

    def run(self, command, **more):
        """Runs a user's command, with the address that `make lab` would have noted for it."""
        return subprocess.run([*command, "-e", f"aws_endpoint_url={self.endpoint}"], cwd=ROOT,
                              check=False, **more)

    def play(self, title, playbook, *options, expect=0):
        """Runs a playbook as a user would; a return code that is not the expected one ends it."""
        command = self.command(playbook, *options)
        self.say(f"{title}: {shlex.join(['ansible-playbook', *command[1:]])}")
        control(self.endpoint, "calls", "DELETE")
        begun = time.monotonic()
        colour = {"ANSIBLE_FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
        done = self.run(command, env={**os.environ, **colour})
        calls = control(self.endpoint, "calls")
        self.rows.append((title, time.monotonic() - begun, calls["reads"], calls["writes"]))
        if done.returncode != expect:
            sys.exit(f"demo: {title} ended with {done.returncode}, not {expect}")
        return calls

    def remove(self):
        """Names what holds data, without which nothing is removed, where there is any."""
        confirmed = ("-e", f"confirm_destroy={self.stack}")
        tried = self.run(self.command("destroy", "--check", *confirmed), capture_output=True,
                         text=True).stdout
        keys = sorted(set(re.findall(r"allow_data_loss: \[([^\]]+)\]", tried)))
        named = ("-e", json.dumps({"stack_allow_data_loss": keys})) if keys else ()
        if keys:
            self.say(f"These hold data and are only removed by name: {', '.join(keys)}")
        self.play("removal", "destroy", *confirmed, *named)

    def table(self):
        print(f"\n{'step':<34}{'seconds':>9}{'API reads':>11}{'API writes':>12}")
        for title, seconds, reads, writes in self.rows:
            print(f"{title:<34}{seconds:>9.1f}{reads:>11}{writes:>12}")
        print(f"{'all':<34}{time.monotonic() - self.begun:>9.1f}")
        print(f"\nAWS's usual durations passed {1 / SETTINGS['time_scale']:g} times faster here.")


class Cluster:
    """The stack's cluster, as kubectl sees it."""

    def __init__(self, story):
        self.path = story.state / "kubeconfig"
        story.play("kubeconfig for people", "kubeconfig", "-e", f"stack_kubeconfig={self.path}",
                   "-e", "stack_kubeconfig_user=token")

    def ctl(self, *words):
        print(f"\n$ kubectl {' '.join(words)}", flush=True)
        subprocess.run([ROOT / ".lab" / "kube" / "bin" / "kubectl", "--kubeconfig", self.path,
                        *words], check=True)

    def show(self):
        self.ctl("get", "nodes", "--label-columns", "node.kubernetes.io/instance-type")
        self.ctl("get", "pods", "--all-namespaces", "--output", "wide")


def clusters():
    """Whether real control planes are here, or can be built now."""
    try:
        build(*NEEDED, "helm", tell=lambda text: print(text, flush=True))
    except BuildError as error:
        print(f"what runs in the cluster is left out: {error}", flush=True)
        return False
    return True


def client(endpoint, service):
    account = json.loads(subprocess.run(
        [str(Path(PLAYBOOK).parent / "ansible-inventory"), "-i", "inventories/platform", "--host",
         "sentineltranslate-dev"], cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return boto3.client(service, region_name=account["aws_region"], endpoint_url=endpoint,
                        aws_access_key_id=f"LAB0{account['aws_account_id']}",
                        aws_secret_access_key="emulated-secret-key")


def meddle(endpoint, stack):
    """What somebody does in the console at night: SSH for the world, and a route gone."""
    ec2 = client(endpoint, "ec2")
    ours = [{"Name": "tag:groundwork:stack", "Values": [stack]}]
    group = ec2.describe_security_groups(Filters=ours)["SecurityGroups"][0]
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    tables = ec2.describe_route_tables(Filters=ours)["RouteTables"]
    table = next(t for t in tables if any(r.get("NatGatewayId") for r in t["Routes"]))
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    print(f"opened port 22 of {group['GroupId']} to the world, deleted the default route of "
          f"{table['RouteTableId']}")


def edited(stack, folder):
    """The stack's own variables with one option changed, as a user would edit them."""
    way, value = CHANGES[stack]
    own = ROOT / "inventories" / "platform" / "host_vars" / f"{stack}.yml"
    variables = yaml.safe_load(own.read_text()) if own.exists() else {}
    place = variables.setdefault("stack_overrides", {})
    *names, last = way.split(".")
    for name in names:
        place = place.setdefault(name, {})
    place[last] = value
    file = folder / "edited.yml"
    file.write_text(yaml.safe_dump(variables))
    return ("-e", f"@{os.path.relpath(file, ROOT)}")


def tell(story):
    stack, endpoint = story.stack, story.endpoint
    calls = story.play("plan on an empty account", "plan")
    assert calls["writes"] == 0, "the plan wrote"
    story.play("build", "site")
    calls = story.play("second run", "site")
    assert calls["writes"] == 0, "the second run wrote"
    inside = Cluster(story) if control(endpoint, "settings")["kubernetes"] else None
    if inside:
        inside.show()
    change = edited(stack, story.state)
    story.say("Edit the inventory: {} is now {}".format(*CHANGES[stack]))
    story.play("one changed option, as a plan", "plan", *change, "--diff")
    story.play("the same, applied", "site", *change, "--diff")
    story.say("Somebody changes AWS by hand" + (", and the cluster" if inside else ""))
    meddle(endpoint, stack)
    if inside:
        inside.ctl("delete", *DELETED[stack])
    story.play("drift found", "drift", *change, expect=2)
    story.play("drift repaired", "site", *change)
    story.remove()
    left = [(kind, item["id"]) for kind, items in control(endpoint, "inventory").items()
            for item in items if item["tags"].get("groundwork:stack") == stack and not item["gone"]]
    kept = [name for kind, name in left if "snapshot" in kind]
    if len(left) > len(kept):
        sys.exit(f"demo: left behind: {left}")
    if kept:
        story.say(f"Kept, as the stack wants it: final snapshot {', '.join(kept)}")
    story.say(f"Nothing of {stack} exists any more")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", nargs="?", default="sentineltranslate-dev", choices=CHANGES)
    parser.add_argument("--state", type=Path, default=STATE, help="folder of the demo's lab")
    parser.add_argument("--aws-only", action="store_true",
                        help="leave out what runs in the cluster, and build no control plane")
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    settings = {**SETTINGS, "kubernetes": not given.aws_only and clusters()}
    lab(given.state, "start", "--settings", json.dumps(settings))
    try:
        story = Story(given.stack, given.state)
        tell(story)
        story.table()
    finally:
        lab(given.state, "stop")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
