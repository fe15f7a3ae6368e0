# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the manifests and releases of a set, before the cluster is asked."""
from __future__ import annotations

import re

from ..engine.resource import search
from ..types.applyset import Parent
from ..types.compare import flat
from ..types.helm import same_version
from ..types.kubernetes import group_kind, group_version
from .references import CRD, OF_PODS, QUANTITIES

# https://helm.sh/docs/chart_template_guide/builtin_objects/, and chartutil.ValidateReleaseName
RELEASE_NAME, RELEASE_LENGTH = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"), 53
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/; n and u as in
# https://github.com/kubernetes/apimachinery/blob/master/pkg/api/resource/suffix.go
QUANTITY = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"
                      r"([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?\s*")


def flattened(manifests) -> tuple[list, list]:
    """(place in the option, manifest) of each object, lists taken apart, and the problems."""
    found, problems = [], []
    todo = [(f"objects[{i}]", m) for i, m in enumerate(manifests)]
    while todo:
        path, manifest = todo.pop(0)
        if isinstance(manifest, dict) and str(manifest.get("kind", "")).endswith("List") \
                and isinstance(manifest.get("items"), list):
            todo[:0] = [(f"{path}.items[{i}]", m) for i, m in enumerate(manifest["items"])]
            continue
        wrong = _wrong(manifest)
        problems += [f"{path}: {text}" for text in wrong]
        found += [] if wrong else [(path, manifest)]
    return found, problems


def _wrong(manifest) -> list[str]:
    """What a manifest lacks to be one."""
    if not isinstance(manifest, dict):
        return ["must be a dictionary"]
    missing = [f"{n} is missing" for n in ("apiVersion", "kind")
               if not isinstance(manifest.get(n), str) or not manifest[n]]
    meta = manifest.get("metadata")
    if not isinstance(meta, dict):
        return [*missing, "metadata.name is missing" if meta is None else
                "metadata must be a dictionary"]
    name = meta.get("name")
    if not isinstance(name, str) or not name:
        missing.append("metadata.name is missing" if not meta.get("generateName") else
                       "metadata.generateName: an object of a set needs a name of its own")
    # https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    missing += [f"metadata.{part} {meta[part]!r} is no name" for part in ("name", "namespace")
                if meta.get(part) and (not isinstance(meta[part], str)
                                       or meta[part] in (".", "..") or {"/", "%"} & {*meta[part]})]
    for part in ("labels", "annotations"):
        given = meta.get(part) or {}
        missing += [f"metadata.{part}.{k} must be a string" for k, v in given.items()
                    if not isinstance(v, str)] if isinstance(given, dict) else [
            f"metadata.{part} must be a dictionary"]
    return missing


def scopes(objects) -> dict:
    """(group, kind) -> whether it is in namespaces, by the definitions of the set."""
    return {defined(m): m["spec"].get("scope") == "Namespaced" for _path, m in objects
            if group_kind(group_version(m["apiVersion"])[0], m["kind"]) == CRD and defined(m)}


def defined(manifest: dict) -> tuple:
    """(group, kind) that a definition brings; empty for what is none, as the server will say."""
    found = search("[spec.group, spec.names.kind]", manifest) or ()
    return tuple(found) if all(isinstance(part, str) for part in found) else ()


def twice(members) -> list[str]:
    """Two of one key."""
    seen, found = set(), []
    for resource in members:
        if resource.key in seen:
            found.append(f"{resource.key}: it is in the set twice")
        seen.add(resource.key)
    return found


def versions(resources) -> list[str]:
    """The server keeps an object in one version and tells it in all: a set speaks of one."""
    found = {}
    for resource in resources:
        found.setdefault(resource.group_kind, set()).add(resource.api_version)
    return [f"{kind} is in the set as {' and as '.join(sorted(versions))}; write one apiVersion"
            for kind, versions in found.items() if len(versions) > 1]


def reserved(resources, parent: Parent) -> list[str]:
    """What a set keeps for itself."""
    own = {("ConfigMap", f"{parent.namespace}/{parent.name}"),
           ("Lease.coordination.k8s.io", f"{parent.namespace}/groundwork-{parent.name}")}
    return [f"{r.key}: this is where the set itself is kept; give one of them another name"
            for r in resources if (r.group_kind, r.place) in own]


def quantities(resources) -> list[str]:
    """Values that are none where the server takes quantities only."""
    found = []
    for resource in resources:
        places = [QUANTITIES.get(resource.group_kind)]
        places += [rf"{re.escape(resource.pods)}\.({OF_PODS})"] if resource.pods else []
        where = "|".join(filter(None, places))
        values = flat(resource.manifest) if where else {}
        found += [f"{resource.key}: {path}: {value!r} is no quantity; write a number and its unit, "
                  "such as 500m, 1.5 or 2Gi" for path, value in values.items()
                  if re.fullmatch(where, path) and value is not None
                  and not QUANTITY.fullmatch(str(value))
                  and not str(value).startswith("(after apply: ")]
    return found


def releases_wrong(releases) -> list[str]:
    """Versions and names of releases."""
    return [f"releases[{i}]: version is missing; pin the one of {r['chart']} that is meant"
            for i, r in enumerate(releases) if not r["version"]] + [
        f"releases[{i}]: version {r['version']} is not that of the chart in {r['chart']}, "
        f"{r['own_version']}; leave it out, or name that one" for i, r in enumerate(releases)
        if r["own_version"] and not same_version(r["version"], str(r["own_version"]))] + [
        f"releases[{i}]: {r['name']!r} is no name of a release: at most {RELEASE_LENGTH} small "
        "letters, digits and -" for i, r in enumerate(releases)
        if not RELEASE_NAME.fullmatch(r["name"]) or len(r["name"]) > RELEASE_LENGTH]
