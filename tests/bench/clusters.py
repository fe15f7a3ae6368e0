# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of Kubernetes objects, beside tasks of kubernetes.core, on a control plane of our own."""
from __future__ import annotations

import importlib.util
import itertools
import json

from tests.kube_world import start_plane

from lab.kube.build import built
from lab.kube.fleet import NEEDED

from .measure import Missing
from .stage import Stage
from .table import above, at_most, faster

OURS, CORE, SINGLE = "k8s_applyset", "kubernetes.core.k8s", "kubernetes.core.k8s, a task each"
NUMBERS = itertools.count(1)
HELM = "kubernetes.core.helm"
OBJECTS, MANY, RELEASES = 100, 1000, 10
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {level: {{ .Values.level }}}
"""


def settings(count: int, name: str) -> list[dict]:
    """A namespace and as many ConfigMaps in it as make `count` objects."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return [space, *({"apiVersion": "v1", "kind": "ConfigMap", "data": {"number": str(n)},
                      "metadata": {"name": f"settings-{n}", "namespace": name}}
                     for n in range(count - 1))]


class Sets:
    """Playbooks that bring the same objects to the same cluster."""

    def __init__(self, stage: Stage):
        if built(*NEEDED) is None:
            raise Missing("The control plane is not built (python -m lab.kube): no sets measured.")
        self.stage = stage
        self.kubeconfig = start_plane(stage.folder / f"plane-{next(NUMBERS)}")

    def play(self, name: str, tasks: list):
        """A playbook of these tasks on one host."""
        path = self.stage.folder / f"{name.replace(' ', '-').replace(',', '')}.json"
        path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        return self.stage.play(name, path, [self.inventory()])

    def inventory(self):
        return self.stage.inventory("cluster", {"cluster": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}"}})

    def ours(self, objects: list, name: str = OURS):
        return self.play(name, [{"groundwork.aws.k8s_applyset": {
            "name": objects[0]["metadata"]["name"], "kubeconfig": self.kubeconfig,
            "objects": objects}}])

    def charts(self, count: int) -> tuple:
        """(ours, kubernetes.core.helm's) of so many releases; None where helm is not built."""
        helm = built("helm")
        if helm is None:
            self.stage.note("helm is not built (python -m lab.kube helm): not measured.")
            return None, None
        folder, binary = self.stage.folder / "chart", str(helm["helm"])
        (folder / "templates").mkdir(parents=True, exist_ok=True)
        (folder / "templates" / "all.yaml").write_text(TEMPLATE)
        (folder / "Chart.yaml").write_text(json.dumps(
            {"apiVersion": "v2", "name": "chart", "version": "1.0.0"}))
        both = [{"name": f"{who}-{n}", "values": {"level": "info"}}
                for who in ("ours", "core") for n in range(count)]
        ours = self.play(OURS, [{"groundwork.aws.k8s_applyset": {
            "name": "charts", "kubeconfig": self.kubeconfig, "helm_binary": binary,
            "releases": [{**r, "chart": str(folder)} for r in both[:count]]}}])
        return ours, self.play(HELM, [{"kubernetes.core.helm": {
            "name": r["name"], "namespace": "default", "chart_ref": str(folder),
            "values": r["values"], "kubeconfig": self.kubeconfig, "binary_path": binary}}
            for r in both[count:]])

    def core(self, objects: list, single: bool = False):
        """One task with the whole list, or a task per object; None where it is not there."""
        if not (importlib.util.find_spec("kubernetes")
                and importlib.util.find_spec("ansible_collections.kubernetes.core")):
            self.stage.note("kubernetes.core is not here: not compared.")
            return None
        lists = [[o] for o in objects] if single else [objects]
        return self.play(SINGLE if single else CORE, [{"kubernetes.core.k8s": {
            "kubeconfig": self.kubeconfig, "apply": True, "server_side_apply": {
                "field_manager": "core"}, "definition": {"apiVersion": "v1", "kind": "List",
                                                         "items": part}}} for part in lists])


def sets_noop(stage: Stage):
    """100 objects of a cluster, nothing to do."""
    sets, title = Sets(stage), f"{OBJECTS} objects of a cluster, nothing to do"
    ours, core = sets.ours(settings(OBJECTS, "ours")), sets.core(settings(OBJECTS, "core"))
    empty = stage.empty([sets.inventory()])
    stage.run(ours)
    if core:
        stage.run(core)
    found = stage.measure([ours, empty, *([core] if core else [])])
    yield above(title, found[OURS], found[empty.name], 0.8)
    if core:
        yield faster(f"{title}: one task with the list", found[OURS], found[CORE], 1)
        single = sets.core(settings(OBJECTS, "core"), single=True)
        found = stage.measure([ours, single], 2)
        yield faster(f"{title}: a task per object", found[OURS], found[SINGLE], 40)


def releases_noop(stage: Stage):
    """10 Helm releases, nothing to do."""
    sets = Sets(stage)
    ours, core = sets.charts(RELEASES)
    if ours:
        stage.run(ours)
        stage.run(core)
        found = stage.measure([ours, core], min(stage.runs, 3))
        yield faster(f"{RELEASES} Helm releases, nothing to do", found[OURS], found[HELM], 4)


def sets_many(stage: Stage):
    """1,000 objects take ten times as long as 100, beyond the empty play."""
    sets = Sets(stage)
    few, many = (sets.ours(settings(n, f"n{n}"), f"{n} objects") for n in (OBJECTS, MANY))
    empty = stage.empty([sets.inventory()])
    for command in (few, many):
        stage.run(command)
    found = stage.measure([few, many, empty], min(stage.runs, 3))
    base = found[empty.name].median()
    more = [found[c.name].median() - base for c in (few, many)]
    yield at_most(f"{MANY} objects of a cluster, nothing to do: times the {OBJECTS}'s",
                  more[1] / more[0], MANY / OBJECTS, "x", seconds=more)
