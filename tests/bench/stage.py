# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where it is measured: a lab of our own, inventories, and the command lines of everybody."""
from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import boto3
import yaml

from lab.launcher import Launcher

from .measure import ROOT, Command, Measured, alternate, once

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
STACK = "pingvas-shared"
# Everybody builds in an account of his own: all objects stand in the lab at the same time.
ACCOUNT, TERRAFORM, AMAZON = "111122223333", "222233334444", "333344445555"
NOBODY = "999988887777"  # has what every account has
LEASES = "groundwork-leases-"
PROVIDER = "terraform-provider-aws*"
USUAL = ("/opt", "/usr/share", "/usr/local", "~/.terraform.d", "~/.local/share/terraform")
DEPTH = 7  # folders below the usual places


class LabProcess:
    """A lab that nobody else uses."""

    def __init__(self, folder: Path):
        self.launcher = Launcher(folder)
        self.endpoint = self.launcher.start()["endpoint"]

    def reset(self) -> None:
        """Empty accounts, each asked once: the emulator takes long to make one, AWS does not."""
        self.launcher.ask("POST", "reset")
        for account in (ACCOUNT, TERRAFORM, AMAZON):
            for service, read in (("ec2", "describe_vpcs"), ("iam", "list_roles")):
                client = boto3.client(service, region_name="us-east-1", endpoint_url=self.endpoint,
                                      aws_access_key_id=f"LAB0{account}",
                                      aws_secret_access_key="emulated-secret-key")
                getattr(client, read)()

    def set(self, **settings) -> None:
        self.launcher.ask("PUT", "settings", settings)

    def forget_calls(self) -> None:
        self.launcher.ask("DELETE", "calls")

    def calls(self) -> dict:
        return self.launcher.ask("GET", "calls?log=0")

    def kinds(self, account: str) -> dict:
        """Kind -> how many objects somebody has made in an account."""
        there, always = (self.launcher.ask("GET", f"inventory?account={a}")
                         for a in (account, NOBODY))
        return {kind: sum(not str(i["id"]).startswith(LEASES) for i in items)
                - len(always.get(kind, ())) for kind, items in there.items()}


class Stage:
    """The lab, temporary files, and what the runs of this bench have in common."""

    def __init__(self, folder: Path, runs: int, say=print):
        self.folder, self.runs, self.say = folder, runs, say
        self.lab = LabProcess(folder / "lab")
        self.notes = []
        self.mirror = provider_mirror()
        self.terraform = shutil.which("terraform") if self.mirror else None

    def close(self) -> None:
        self.lab.launcher.stop()

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self.say(text)

    def measure(self, commands: list[Command], runs: int = 0) -> dict[str, Measured]:
        return alternate(commands, runs or self.runs, self.lab, self.say)

    def run(self, command: Command):
        return once(command, self.lab)

    def inventory(self, name: str, hosts: dict) -> Path:
        """An inventory of these hosts and their variables."""
        path = self.folder / f"{name}.yml"
        path.write_text(json.dumps({"all": {"hosts": hosts}}))
        return path

    def connection(self, account: str = ACCOUNT) -> dict:
        """Variables that lead a stack to the lab."""
        return {"aws_region": "us-east-1", "aws_account_id": account,
                "aws_access_key": f"LAB0{account}", "aws_secret_key": "emulated-secret-key",
                "aws_endpoint_url": self.lab.endpoint}

    def network_inventory(self, account: str = ACCOUNT) -> Path:
        """pingvas-shared with its network and security groups alone."""
        own = {k: platform()[k] for k in ("network", "security_groups", "stack_tags")}
        return self.inventory(f"network-{account}", {STACK: {
            **own, **self.connection(account), "stack_product": "pingvas",
            "stack_environment": "shared"}})

    # ---- command lines ----------------------------------------------------------------------

    def play(self, name: str, playbook, inventories, *options, **more) -> Command:
        chosen = [part for i in inventories for part in ("-i", i)]
        return Command(name, [BIN / "ansible-playbook", *chosen, ROOT / playbook, *options], **more)

    def empty(self, inventories, *options) -> Command:
        return self.play("empty play", HERE / "peers" / "empty.yml", inventories, *options)

    def tf(self, work: "Terraform", verb: str, *options, **more) -> Command:
        arguments = [self.terraform, verb, "-no-color", "-input=false", *options]
        return Command(f"terraform {verb}", arguments, work.environment, work.folder, **more)

    def terraform_work(self, *parts: str) -> "Terraform | None":
        """A folder with the provider and these parts, ready to plan; None without Terraform."""
        if not self.terraform:
            self.note("Terraform with the AWS provider is not here: not compared.")
            return None
        return Terraform(self, parts)

    def amazon_aws(self, **more) -> Command | None:
        """The same network by tasks of amazon.aws."""
        if not has_amazon_aws():
            self.note("The collection amazon.aws is not here: not compared.")
            return None
        return self.play("amazon.aws", HERE / "peers" / "amazon_aws" / "network.yml",
                         [self.network_inventory(AMAZON)], **more)


class Terraform:
    """A working folder."""

    def __init__(self, stage: Stage, parts: tuple):
        self.folder = Path(tempfile.mkdtemp(prefix=f"terraform-{parts[-1]}-", dir=stage.folder))
        peer = HERE / "peers" / "terraform"
        for source in (peer, *(peer / part for part in parts)):
            for path in source.glob("*.tf"):
                shutil.copy(path, self.folder)
        settings = stage.folder / "terraformrc"
        settings.write_text("provider_installation {\n  filesystem_mirror {\n"
                            f'    path = "{stage.mirror}"\n  }}\n}}\n')
        self.environment = {
            "TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
            "TF_VAR_endpoint": stage.lab.endpoint, "TF_VAR_account": TERRAFORM}
        once(stage.tf(self, "init"))

    def forget(self) -> None:
        """Without a state, as on the first day."""
        for path in self.folder.glob("terraform.tfstate*"):
            path.unlink()

    def resources(self) -> int:
        """How many resources the state holds."""
        state = json.loads((self.folder / "terraform.tfstate").read_text())
        return sum(len(r["instances"]) for r in state["resources"] if r["mode"] == "managed")


@functools.lru_cache(maxsize=None)
def platform() -> dict:
    """The variables of pingvas in inventories/platform."""
    folder = ROOT / "inventories" / "platform" / "group_vars" / "pingvas"
    return {k: v for path in sorted(folder.glob("*.yml"))
            for k, v in (yaml.safe_load(path.read_text()) or {}).items()}


def provider_mirror() -> Path | None:
    """The folder that Terraform may take its AWS provider from, wherever it is on the machine."""
    places = [os.environ.get("TF_PLUGIN_CACHE_DIR"), *USUAL]
    for place in (Path(p).expanduser() for p in places if p):
        for depth in range(1, DEPTH):
            for found in place.glob("*/" * depth + PROVIDER):
                # mirror/host/namespace/name/version/system/terraform-provider-aws_v1.2.3, or
                # mirror/host/namespace/name/terraform-provider-aws_1.2.3_system.zip
                above = 3 if found.suffix == ".zip" else 5
                if len(found.parents) > above and found.is_file():
                    return found.parents[above]
    return None


@functools.lru_cache(maxsize=None)
def has_amazon_aws() -> bool:
    try:
        import ansible_collections.amazon.aws  # noqa: F401  # pylint: disable=unused-import
    except ImportError:
        return False
    return True
