# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack on an emulated AWS, driven through the modules' code, without Ansible's forks."""
from __future__ import annotations

import collections
import copy
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
import botocore.loaders
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.aws.plugins.module_utils import connect, run
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import KEY
from ansible_collections.groundwork.aws.plugins.module_utils.engine.wait import Clock
from botocore.config import Config

from lab.aws import Lab
from tools.permissions import action, granted

ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "acme-test"
PLANS = Path(__file__).parent / "plans"
BUILT = {}  # options of the stack built last, and a snapshot of its account
FREE = collections.defaultdict(list)  # how clients are made -> those that no run has any more
LOADER = botocore.loaders.create_loader()  # service models, read once for all tests


allowed = functools.lru_cache(maxsize=None)(granted)  # by docs/permissions.md


class Ended(Exception):
    """exit_json or fail_json was called; `result` is what it got."""

    def __init__(self, result: dict, failed: bool):
        super().__init__(result.get("msg", ""))
        self.result, self.failed = result, failed


class Module:
    """As much of AnsibleModule as run.py uses."""

    def __init__(self, params: dict, check_mode: bool, diff: bool):
        self.params, self.check_mode, self._diff = params, check_mode, diff
        self.warnings = []

    def warn(self, text: str):
        self.warnings.append(text)

    def exit_json(self, **result):
        raise Ended(dict(result, warnings=self.warnings), False)

    def fail_json(self, **result):
        raise Ended(dict(result, warnings=self.warnings, failed=True), True)


class Quick(Clock):
    """Real time, with waits a hundred times shorter."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 100)

    def get(self, inbox, timeout: float):
        return super().get(inbox, timeout / 100)

    def now(self) -> float:
        return super().now() * 100


class Hooks:
    """The events of a session; what is registered there is told to the clients that it takes."""

    def __init__(self, emitter):
        self.emitter, self.all = emitter, []

    def register(self, *hook, **more):
        self.all.append((hook, more))

    def __getattr__(self, name):
        return getattr(self.emitter, name)


class Session(boto3.session.Session):
    """Has clients of runs that have ended: they are made more slowly than they answer."""

    def __init__(self, **options):
        super().__init__(**options)
        self._session.register_component("data_loader", LOADER)
        self.taken = []

    @functools.cached_property
    def events(self):
        return Hooks(super().events)

    def client(self, service_name, **options):
        given = getattr(options.pop("config", None), "_user_provided_options", {})
        who = self.get_credentials()
        key = repr((service_name, self.region_name, who and vars(who), given, options,
                    sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))))
        if FREE[key]:
            client, emitter = FREE[key].pop()
        else:
            client = super().client(service_name, config=Config(**given), **options)
            emitter = client.meta.events._emitter
        self.taken.append((key, (client, emitter)))
        client.meta.events._emitter = copy.copy(emitter)  # without what others have registered
        for hook, more in self.events.all:
            client.meta.events.register(*hook, **more)
        return client

    def free(self):
        """Nobody uses the clients any more."""
        for key, made in self.taken:
            FREE[key].append(made)


class World:
    """One account and one stack in it."""

    clock = Quick

    def __init__(self, **settings):
        self.lab = Lab(settings)
        self.before = self.objects()
        self.asked = collections.defaultdict(list)  # "eks.CreateAddon" -> parameters of each call
        self.sessions = []  # of the run

    def objects(self) -> set:
        """(kind, id) of everything in the account, from the emulator's own data."""
        found = self.lab.inventory()
        return {(kind, item["id"]) for kind, items in found.items() for item in items
                if not item["gone"]}

    def kinds(self) -> dict:
        """kind -> number of objects, but for the bucket of leases."""
        return dict(collections.Counter(kind for kind, _name in self.left()))

    def left(self) -> set:
        """What is in the account that was not there at the start.

        But for the bucket of leases, and for final snapshots, which outlive what they are of.
        """
        return {(kind, name) for kind, name in self.objects() - self.before
                if not str(name).startswith("groundwork-leases-") and "snapshot" not in kind}

    def keys(self) -> set:
        """The key tags of everything in the account."""
        return {item["tags"].get(KEY) for items in self.lab.inventory().values() for item in items
                if not item["gone"]}

    def session(self, **options):
        """A boto3 session that talks to the lab in this process."""
        session = Session(**options)
        self.lab.attach(session)
        session.events.register("provide-client-params", self._note)
        self.sessions.append(session)
        return session

    def _note(self, params, model, **_more):
        self.asked[f"{model.service_model.service_name}.{model.name}"].append(params)

    def client(self, service: str):
        """A client of somebody else in the account."""
        return self.session(aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="x",
                            region_name=REGION).client(service)

    def run(self, options: dict, check: bool = False, alone: str = "", **params) -> dict:
        """What the module returns; `failed` is True when it called fail_json.

        `options` are components with their options, or a whole stack as `stack()` returns it;
        `alone` is the component whose own module is meant, else it is the stack's.
        """
        if "components" in options:
            params = {**{k: v for k, v in options.items() if k != "components"}, **params}
            options = options["components"]
        account = params.get("aws_account_id", ACCOUNT)
        given = dict(product="acme", environment="test", region=REGION, aws_account_id=ACCOUNT,
                     access_key=f"LAB0{account}", secret_key="emulated-secret-key")
        spec = ArgumentSpecValidator({**run.aws_argument_spec(), **run.COMMON})
        validated = spec.validate({**given, **params})
        assert not validated.error_messages, validated.error_messages
        module = Module(validated.validated_parameters, check, True)
        self.lab.calls.clear()
        self.asked.clear()
        self.sessions.clear()
        components = {alone: COMPONENTS[alone]} if alone else COMPONENTS
        options = {alone: options[alone]} if alone else options
        try:
            with patched(self):
                run.execute(module, components, copy.deepcopy(options))
        except Ended as ended:
            for session in self.sessions:
                session.free()
            denied = {action(*name.split(".")) for name in self.asked} - allowed(check)
            assert not denied, f"not in docs/permissions.md: {denied}"
            return dict(ended.result, failed=ended.failed)
        raise AssertionError("neither exit_json nor fail_json was called")

    def writes(self) -> list[str]:
        """Write calls of the last run that reached the lab, those for the lease aside."""
        return list(self.lab.calls.writes)


def built(options: dict) -> World:
    """A world where the stack was built; the one built last is copied, not built again."""
    world, wanted = World(), json.dumps(options, sort_keys=True)
    if BUILT.get("options") != wanted:
        actions(world.run(options))
        BUILT.update(options=wanted, snapshot=world.lab.snapshot())
    world.lab.restore(BUILT["snapshot"])
    return world


class patched:
    """Sessions of the code under test talk to the lab, and its clock runs fast."""

    def __init__(self, world: World):
        self.world = world

    def __enter__(self):
        self.kept = connect.boto3, run.Clock
        fake = type("boto3", (), {"session": type("session", (), {
            "Session": staticmethod(self.world.session)})})
        connect.boto3, run.Clock = fake, self.world.clock

    def __exit__(self, *_exc):
        connect.boto3, run.Clock = self.kept


@functools.lru_cache(maxsize=None)
def cases(component: str = "*") -> tuple:
    """(name, case) of every case file, in the order of the files."""
    found = []
    for path in sorted(PLANS.glob(f"{component}.yml")):
        for case in yaml.safe_load(path.read_text()).get("cases", ()):
            found.append((f"{path.stem}: {case['name']}", case))
    return tuple(found)


@functools.lru_cache(maxsize=None)
def stack(name: str) -> dict:
    """What the role `stack` hands to its module for a stack of inventories/platform."""
    root = PLANS.parents[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "--limit", name,
                        "-i", "inventories/platform", "tests/stack_options.yml",
                        "-e", f"folder={folder}"], cwd=root, check=True, capture_output=True)
        return json.loads(Path(folder, f"{name}.json").read_text())


def changed(options: dict, change: dict) -> dict:
    """The options with the value at `path` replaced (None: taken away)."""
    options = copy.deepcopy(options)
    *way, last = change["path"]
    place = options
    for name in way:
        place = place.setdefault(name, {})
    if change["to"] is None:
        place.pop(last, None)
    else:
        place[last] = change["to"]
    return options


def actions(result: dict) -> dict:
    """key -> action of what a result changes."""
    assert not result["failed"], result["msg"]
    return {c["key"]: c["action"] for c in result["plan"] if c["action"] != "keep"}
