# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of objects on a real control plane, driven through the module's code."""
from __future__ import annotations

import atexit
import copy
import functools
import itertools
import json
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.aws.plugins.module_utils import run_applyset
from ansible_collections.groundwork.aws.plugins.module_utils.clients.kubeconfig import (
    from_kubeconfig,
)
from ansible_collections.groundwork.aws.plugins.module_utils.clients.kubernetes import Cluster
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import (
    Busy, Denied, NotFound, ServiceFailure,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.wait import Clock
from ansible_collections.groundwork.aws.plugins.module_utils.types.applyset import PART_OF
from tests.world import Ended, Module

from lab.kube.build import built
from lab.kube.fleet import NEEDED, Options

SETS = Path(__file__).parent / "sets"
SECONDS = 60  # for a set to become ready
NUMBERS = itertools.count(1)
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {
    "name": "node-a", "annotations": {"kwok.x-k8s.io/node": "fake"},
    "labels": {"kubernetes.io/hostname": "node-a"}}}
CAPACITY = {"cpu": "16", "memory": "64Gi", "pods": "110"}


class Killed(BaseException):
    """The process ends, now."""


@functools.lru_cache(maxsize=1)
def plane() -> str:
    """The kubeconfig of a control plane that all tests of this process share."""
    if built(*NEEDED) is None:
        pytest.skip("the control plane is not built; build it with: python -m lab.kube")
    return start_plane(Path(tempfile.mkdtemp(prefix="groundwork-sets-")))


def start_plane(folder: Path) -> str:
    """The kubeconfig of a control plane with one node; it ends with this process."""
    from lab.kube.cluster import Cluster as Plane

    def nobody(_request):
        return {"status": {"authenticated": False, "allowed": False}}

    found = Plane(folder / "plane", Options(name="tests"), built(*NEEDED),
                  {"authenticate": nobody, "authorize": nobody})
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(found.stop)
    found.start()
    api = Cluster(from_kubeconfig(str(found.kubeconfig), None, Clock()), read_only=False)
    api.apply("/api/v1/nodes/node-a", NODE)
    api.call("PATCH", "/api/v1/nodes/node-a/status", {"status": {
        "capacity": CAPACITY, "allocatable": CAPACITY}},
        headers={"Content-Type": "application/merge-patch+json"})
    return str(found.kubeconfig)


class Watched(Cluster):
    """A client that notes its writes, and dies where it is told to."""

    last = None  # the one made last
    place = None  # (number of the write, "before" or "after" its effect)
    gate = None  # of kube_gate.py, which dies for this client and for helm

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Watched.last, self.writes, self.dead = self, [], False

    def _once(self, method, url, data, headers, operation, reads):
        if self.dead or (Watched.gate and Watched.gate.dead):
            raise Killed
        if not reads and "/leases" not in operation:
            self.writes.append(operation)
        strikes = not reads and Watched.place and len(self.writes) == Watched.place[0] \
            and "/leases" not in operation
        self.dead = bool(strikes)
        if strikes and Watched.place[1] == "before":
            raise Killed
        try:
            return super()._once(method, url, data, headers, operation, reads)
        finally:
            if strikes or (Watched.gate and Watched.gate.dead):
                raise Killed


class KubeWorld:
    """One set on the shared cluster, with names of its own."""

    def __init__(self, kubeconfig: str = ""):
        self.kubeconfig = kubeconfig or plane()
        self.space = f"t{next(NUMBERS)}"
        self.api = Cluster(from_kubeconfig(self.kubeconfig, None, Clock()), read_only=False)

    def named(self, value):
        """A structure with {ns}, this world's own name, put in."""
        return json.loads(json.dumps(value).replace("{ns}", self.space))

    def run(self, objects=(), check: bool = False, **params) -> dict:
        """What the module returns; `failed` is True when it called fail_json."""
        given = self.named(dict(dict(
            name=self.space, kubeconfig=self.kubeconfig, timeout=SECONDS,
            objects=copy.deepcopy(list(objects))), **params))
        spec = ArgumentSpecValidator(run_applyset.SPEC)
        validated = spec.validate(given)
        assert not validated.error_messages, validated.error_messages
        module = Module(validated.validated_parameters, check, True)
        kept, run_applyset.Cluster = run_applyset.Cluster, Watched
        try:
            run_applyset.execute(module)
        except Ended as ended:
            return dict(ended.result, failed=ended.failed, params=module.params)
        finally:
            run_applyset.Cluster = kept
        raise AssertionError("neither exit_json nor fail_json was called")

    @staticmethod
    def writes() -> list[str]:
        """Writes of the last run, those for the lease aside."""
        return list(Watched.last.writes)

    def left(self) -> list[str]:
        """Everything on the cluster that carries the label or the name of the set."""
        self.api.served("", "Pod", fresh=True)
        parent = run_applyset.Parent(key="", name=self.space, namespace="default")
        found = []
        for (_group, _kind), versions in self.api._served.items():
            served = next(iter(versions.values()))
            if "list" in served.verbs:
                try:
                    items = self.api.get(served.path, labelSelector=f"{PART_OF}={parent.id}")
                except (NotFound, Denied, ServiceFailure):
                    continue
                found += [f"{served.kind} {i['metadata']['name']}" for i in items["items"]]
        for path in (f"{parent.path}/{self.space}", "/apis/coordination.k8s.io/v1/namespaces/"
                     f"default/leases/groundwork-{self.space}"):
            try:
                found.append(self.api.get(path)["metadata"]["name"])
            except NotFound:
                pass
        return sorted(found)

    def get(self, path: str) -> dict:
        """An object, by the path after /api or /apis."""
        return self.api.get(path.replace("{ns}", self.space))

    def edit(self, path: str, body: dict, manager: str = "kim") -> dict:
        """What somebody else writes."""
        return self.api.call("PATCH", path.replace("{ns}", self.space), self.named(body),
                             {"fieldManager": manager, "force": "true"},
                             {"Content-Type": "application/apply-patch+yaml"})[1]

    def make(self, objects, manager: str = "kim") -> None:
        """What somebody else has made, by server-side apply."""
        for manifest in self.named(objects):
            group, _slash, version = manifest["apiVersion"].rpartition("/")
            served = self.api.served(group, manifest["kind"], version)
            meta = manifest["metadata"]
            self.edit(served.at(meta.get("namespace", ""), meta["name"]), manifest, manager)

    def clear(self) -> None:
        """Takes everything of this world away, whoever made it."""
        try:
            self.api.call("DELETE", f"/api/v1/namespaces/{self.space}")
        except (NotFound, Busy):
            pass


@functools.lru_cache(maxsize=None)
def cases(name: str) -> tuple:
    """(name, case) of a file of cases."""
    found = yaml.safe_load((SETS / f"{name}.yml").read_text())["cases"]
    return tuple((case["name"], case) for case in found)


def manifests(text: str) -> list[dict]:
    """Objects as people write them."""
    return [m for m in yaml.safe_load_all(text) if m]


def text_of(result: dict) -> str:
    """All that a module would print."""
    return json.dumps(result, default=str)
