# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""applyset: a list of manifests as one graph. What must be there before what is read from them."""
from __future__ import annotations

import contextlib
import difflib
import typing

from ..engine.resource import KEY, OWNER, search
from ..types.applyset import PART_OF, Parent
from ..types.compare import encoded, flat, hidden, labelled, veil
from ..types.kubernetes import Kinds, group_kind, group_version, place
from .manifests import (
    defined, flattened, quantities, releases_wrong, reserved, scopes, twice, versions,
)
from .references import (
    BINDINGS, CALLS, CRD, DEPENDS_ON, GRANTED, IN_PODS, NAMED, RULES,
)

RELEASE = dict(
    name=dict(type="str", required=True),
    namespace=dict(type="str", default="default"),
    chart=dict(type="str", required=True),
    repo=dict(type="str"),
    version=dict(type="str"),
    values=dict(type="dict", default={}),
    secret_values=dict(type="dict", default={}, no_log=True),
    needs=dict(type="list", elements="str", default=[]),
    timeout=dict(type="int"),
)


def build(manifests, parent: Parent, kinds: Kinds, releases=(),
          strict: bool = True) -> list:
    """The resources of a set, or ValueError with every problem, a line each."""
    objects, problems = flattened(manifests)
    known = scopes(objects)
    resources = []
    for path, manifest in objects:
        try:
            resources.append(_resource(path, manifest, parent, kinds, known))
        except ValueError as error:
            problems.append(str(error))
    charts = [_release(given, parent, kinds) for given in releases]
    members = [*resources, *charts]
    problems += [*twice(members), *versions(resources), *reserved(resources, parent),
                 *quantities(resources), *releases_wrong(releases)]
    graph = Graph(resources, charts)
    problems += graph.after({r.key: given["needs"] for r, given in zip(charts, releases)})
    problems += graph.problems if strict else []
    if problems:
        raise ValueError("\n".join(problems))
    for resource in members:
        resource.needs = [parent, *graph.edges[resource.key].values()]
    parent.kinds = sorted({r.listed_as for r in members})
    parent.namespaces = sorted({r.namespace for r in members} - {"", parent.namespace})
    return [parent, *members]


def _resource(path: str, manifest: dict, parent: Parent, kinds: Kinds, known: dict):
    """One object without its edges."""
    group, version = group_version(manifest["apiVersion"])
    cls = kinds.of(group, version, manifest["kind"])
    meta = dict(manifest["metadata"])
    scoped = cls.served.namespaced if cls.served else known.get((group, manifest["kind"]))
    if scoped:
        meta["namespace"] = meta.get("namespace") or "default"
    elif scoped is False and meta.get("namespace"):
        raise ValueError(f"{path}: {manifest['kind']} {meta['name']} is in no namespace; take "
                         f"metadata.namespace {meta['namespace']} away")
    manifest = hidden(labelled(encoded({**manifest, "metadata": meta}), PART_OF, parent.id))
    key = cls.key_of(meta)
    return cls(key=key, place=place(meta), manifest=manifest, tags={OWNER: parent.id, KEY: key})


def _release(given: dict, parent: Parent, kinds: Kinds):
    """One release without its edges."""
    cls, where = kinds.release, f"{given['namespace']}/{given['name']}"
    key = f"{parent.name}/release/{where.replace('/', ':')}"
    same = {name: given[name] for name in ("chart", "repo", "version", "values", "timeout")}
    return cls(key=key, place=where, tags={OWNER: parent.id, KEY: key},
               secret_values=veil(given["secret_values"]) or None, **same)


class Graph:
    """Which objects of a set must be there before which."""

    def __init__(self, resources, releases=()):
        self.resources, self.releases, self.problems = resources, releases, []
        self.edges = {r.key: {} for r in [*resources, *releases]}  # key -> key -> resource
        self.index = {(r.group_kind, r.place): r for r in resources}
        self.defined = {defined(r.manifest): r for r in resources if r.group_kind == CRD}
        for resource in resources:
            with contextlib.suppress(AttributeError, TypeError):  # malformed, the server says how
                self._of(resource)
        for release in releases:
            self.add(release, self.index.get(("Namespace", release.namespace)))
            for (kind, where), resource in self.index.items():
                if kind in GRANTED and where.split("/")[0] in (release.namespace, where):
                    self.add(release, resource)
        for resource in resources:
            with contextlib.suppress(AttributeError, TypeError):
                self._guards(resource)

    def add(self, resource, other) -> None:
        """One edge, if there is something to depend on."""
        if other is not None and other is not resource:
            self.edges[resource.key][other.key] = other

    def after(self, needs: dict) -> list[str]:
        """Edges between releases, by their names; a problem for each that is not there."""
        named, problems = {r.name: r for r in self.releases}, []
        for release in self.releases:
            for name in needs[release.key]:
                self.add(release, named.get(name))
                problems += [] if name in named else [
                    f"{release.key}: needs {name}, which is no release of the set"]
        return problems

    def _of(self, resource) -> None:
        manifest, space = resource.manifest, resource.manifest["metadata"].get("namespace")
        self.add(resource, self.index.get(("Namespace", space)))
        definition = self.defined.get((resource.group, resource.kind))
        self.add(resource, definition)
        for service in self._called(definition) if definition else ():
            self.add(resource, service)
        resource.awaited = bool(definition or self.releases)
        if not (definition or resource.served):
            for release in self.releases:
                self.add(resource, release)
        for path, kind in NAMED.get(resource.group_kind, ()):
            self._named(resource, search(path, manifest), kind, space)
        for service in self._called(resource):
            service.called = True
            if resource.group_kind != CRD:  # what it serves needs the kind first
                self.add(resource, service)
                for workload in self._behind(service):
                    self.add(resource, workload)
        pod = search(resource.pods, manifest) if resource.pods else None
        if pod:
            self._of_pod(resource, pod, space)
        self._depends_on(resource)

    def _named(self, resource, names, kind: str, space: str | None) -> None:
        """Edges to the objects of these names, in the namespace or in none."""
        for name in names if isinstance(names, list) else filter(None, [names]):
            for where in (f"{space}/{name}", name):
                other = self.index.get((kind, where))
                if not (other and getattr(other, "called", None)):
                    self.add(resource, other)

    def _of_pod(self, resource, pod: dict, space: str | None) -> None:
        for path, kind in IN_PODS:
            self._named(resource, search(path, pod), kind, space)
        for (kind, _place), other in self.index.items():
            if kind in RULES and other.manifest["metadata"].get("namespace") == space:
                self.add(resource, other)
            elif kind in BINDINGS and any(
                    s.get("kind") == "ServiceAccount" and s.get("namespace", space) == space
                    and s.get("name") == pod.get("serviceAccountName", "default")
                    for s in other.manifest.get("subjects") or ()):
                self.add(resource, other)

    def _called(self, resource) -> list:
        """The services of the set that an object makes the server call."""
        path = CALLS.get(resource.group_kind)
        named = search(path, resource.manifest) or () if path else ()
        found = (self.index.get(("Service", f"{s.get('namespace')}/{s.get('name')}"))
                 for s in named if s)
        return [service for service in found if service]

    def _behind(self, service) -> list:
        """The workloads whose pods a service selects."""
        selector = (service.manifest.get("spec") or {}).get("selector") or {}
        space = service.manifest["metadata"].get("namespace")
        found = []
        for other in self.resources if selector else ():
            template = search("spec.template.metadata.labels", other.manifest) or {}
            if other.pods and other.manifest["metadata"].get("namespace") == space \
                    and selector.items() <= template.items():
                found.append(other)
        return found

    def _depends_on(self, resource) -> None:
        """Edges that the owner of an object has written into it."""
        text = (resource.manifest["metadata"].get("annotations") or {}).get(DEPENDS_ON, "")
        for reference in filter(None, (part.strip() for part in text.split(","))):
            parts = reference.split("/")
            where, group = ("/".join((parts[2], parts[-1])) if len(parts) == 5 else parts[-1],
                            parts[0])
            kind = group_kind(group, parts[-2]) if len(parts) in (3, 5) else ""
            other = self.index.get((kind, where))
            if other is None:
                known = [f"{k} {w}" for k, w in self.index]
                close = difflib.get_close_matches(f"{kind} {where}", known, 1, 0.6)
                more = f"; did you mean {close[0]}?" if close else ""
                self.problems.append(f"{resource.key}: {DEPENDS_ON} names {reference}, which is "
                                     f"not in the set{more}")
            self.add(resource, other)

    def _guards(self, config) -> None:
        """What a webhook looks at comes after it, but for what the webhook itself needs."""
        hooks = search("webhooks[].rules[]", config.manifest) if config.group_kind in CALLS else ()
        needed = self._below(config.key) if hooks else ()
        for resource in self.resources if hooks else ():
            if resource.key not in needed and any(_matches(rule, resource) for rule in hooks):
                self.add(resource, config)

    def _below(self, key: str) -> set[str]:
        """The key and those of all that it needs."""
        found, todo = set(), [key]
        while todo:
            key = todo.pop()
            if key not in found:
                found.add(key)
                todo += self.edges.get(key, ())
        return found


def secrets_elsewhere(members) -> dict:
    """namespace/name -> keys of the workloads that need this Secret, which nothing here makes.

    A release may make any in its namespace, and an object of somebody's own kind each one that it
    names there, as an ExternalSecret or a Certificate does.
    """
    made = {r.place for r in members if r.group_kind == "Secret"}
    charts = {r.namespace for r in members if r.group_kind == "HelmRelease"}
    made |= {f"{r.namespace}/{value}" for r in members
             if "." in r.group and not r.group.endswith(".k8s.io")
             for value in flat(r.manifest).values()}
    ways = [path.rpartition(".") for path, kind in IN_PODS if kind == "Secret"]
    found = {}
    for resource in members:
        pod = search(resource.pods, resource.manifest) if getattr(resource, "pods", "") else None
        for owner, _dot, name in ways if isinstance(pod, dict) else ():
            for named in search(f"{owner}.{{name: {name}, optional: optional}}", pod) or ():
                where = f"{resource.namespace}/{named['name']}"
                if named["name"] and not named["optional"] and where not in made \
                        and resource.namespace not in charts:
                    found.setdefault(where, {})[resource.key] = None
    return {where: list(keys) for where, keys in found.items()}


def _matches(rule: dict, resource) -> bool:
    """Whether a webhook's rule is about the creation or change of an object."""
    plural = resource.served.plural if resource.served else f"{resource.kind.lower()}s"

    def among(name: str, value: str) -> bool:
        return bool({value, "*"} & set(rule.get(name) or ()))

    return among("apiGroups", resource.group) and among("apiVersions", resource.version) \
        and bool({plural, "*", "*/*"} & set(rule.get("resources") or ())) \
        and bool({"CREATE", "UPDATE", "*"} & set(rule.get("operations") or ()))


def link(classes) -> None:
    """Tells the types what they may refer to: what is left over is removed in that order."""
    known = {cls.group_kind: cls for cls in classes}
    pods = [kind for _path, kind in IN_PODS] + [*RULES, *BINDINGS, "Service"]
    for kind, cls in known.items():
        names = ["Namespace", CRD, *(k for _path, k in NAMED.get(kind, ()))]
        workloads = [k for k, c in known.items() if getattr(c, "pods", "") or k == "Service"]
        names += pods if kind in workloads and kind != "Service" else []
        names += workloads if kind in CALLS else []
        names += GRANTED if kind == "HelmRelease" else ()
        names += ["HelmRelease"] if "." in cls.group and not cls.group.endswith(".k8s.io") else []
        others = [known[n] for n in dict.fromkeys(names) if n in known and n != kind]
        cls.__annotations__["needs"] = typing.Union[tuple([Parent, *others])]
