# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manifests beside live objects: which values differ, and what of them may be seen."""
from __future__ import annotations

import base64
import copy
import hashlib
import json
import re

from ..clients.kubernetes import MANAGER, Rejected

NONE, SECRET, OTHER_SECRET = "(none)", "(secret)", "(another secret)"
# What the server keeps for itself.
OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
LAST = "kubectl.kubernetes.io/last-applied-configuration"  # holds the whole object
COUNTED = "deprecated.daemonset.template.generation"  # follows metadata.generation
# Annotation that names fields which belong to somebody else once the object is there.
ONCE = "groundwork.aws/only-at-creation"
VEILED = ("data", "stringData")  # of a Secret
# What servers say where they mean that a field cannot be changed, in whichever validation.
IMMUTABLE = re.compile(r"immutable|may not (be )?change|cannot (be )?change|"
                       r"updates to .*forbidden|is not allowed to (be )?change")


class Hidden:
    """A value that is sent and never shown."""

    def __init__(self, value):
        self._value = value

    def reveal(self):
        """The value, for the request's body alone."""
        return self._value

    def __repr__(self):
        return SECRET

    def __deepcopy__(self, memo):
        return self


def veil(value):
    """A structure whose plain values are all hidden."""
    if isinstance(value, dict):
        return {k: veil(v) for k, v in value.items()}
    return [veil(v) for v in value] if isinstance(value, list) else Hidden(value)


def unveil(value):
    """The structure as it was."""
    if isinstance(value, dict):
        return {k: unveil(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unveil(v) for v in value]
    return value.reveal() if isinstance(value, Hidden) else value


def in_veil(path: str) -> bool:
    """Whether a path of `flat` is below what a Secret holds; keys with dots are in brackets."""
    return re.split(r"[.[]", path)[0] in VEILED


def secret(manifest: dict) -> bool:
    """Whether an object is a Secret, or was meant to be one."""
    return str(manifest.get("kind")).lower() in ("secret", "secrets")


def encoded(manifest: dict) -> dict:
    """A Secret with all of its values in `data`, which alone the server keeps and tells owners of.

    https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/
    """
    given = manifest.get("stringData")
    if not (secret(manifest) and manifest["apiVersion"] == "v1" and isinstance(given, dict)
            and all(isinstance(value, str) for value in given.values())):
        return manifest
    data = {k: base64.b64encode(v.encode()).decode() for k, v in given.items()}
    rest = {k: v for k, v in manifest.items() if k != "stringData"}
    return {**rest, "data": {**(manifest.get("data") or {}), **data}}


def hidden(manifest: dict) -> dict:
    """The manifest, with the values of a Secret hidden."""
    if not secret(manifest):
        return manifest
    return {**manifest, "metadata": unnoted(manifest.get("metadata")),
            **{part: veil(manifest[part]) for part in VEILED if part in manifest}}


def unnoted(meta):
    """The metadata without the copy of the whole object that kubectl leaves in it."""
    if not (isinstance(meta, dict) and isinstance(meta.get("annotations"), dict)):
        return meta
    return {**meta, "annotations": {k: v for k, v in meta["annotations"].items() if k != LAST}}


def masked_given(manifest):
    """A manifest as the user wrote it, lists of them too, without what nobody may see."""
    if not isinstance(manifest, dict):
        return manifest
    if isinstance(manifest.get("items"), list):
        return {**manifest, "items": [masked_given(m) for m in manifest["items"]]}
    return shown(hidden(manifest))


def shown(value):
    """The structure as it may be seen."""
    if isinstance(value, dict):
        return {k: shown(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shown(v) for v in value]
    return SECRET if isinstance(value, Hidden) else value


def masked(item: dict) -> dict:
    """A live object without what nobody may see."""
    if not secret(item):
        return item
    return {**item, "metadata": unnoted(item["metadata"]),
            **{part: dict.fromkeys(item[part], SECRET) for part in VEILED if item.get(part)}}


def scrubbed(text: str, manifest: dict) -> str:
    """A message of the server without the values of the Secret that it is about."""
    values = [v for part in VEILED if part in manifest
              for v in flat(unveil(manifest[part])).values()] if secret(manifest) else []
    return without(text, values)


def without(text: str, values) -> str:
    """The text without these values, in whichever form they are written."""
    for value in sorted(map(str, values), key=len, reverse=True):
        forms = [value, json.dumps(value)[1:-1], base64.b64encode(value.encode()).decode()]
        try:
            forms.append(base64.b64decode(value, validate=True).decode())
        except ValueError:
            pass
        for form in filter(None, forms):
            text = text.replace(form, SECRET)
    return text


def content(item: dict) -> dict:
    """What people and controllers write of an object."""
    meta = {k: v for k, v in (item.get("metadata") or {}).items() if k not in OWN}
    if meta.get("annotations"):
        meta["annotations"] = {k: v for k, v in meta["annotations"].items()
                               if k not in (LAST, COUNTED)}
    return {**{k: v for k, v in item.items() if k != "status"}, "metadata": meta}


def fingerprint(item) -> str:
    """The same for objects of the same content."""
    if not isinstance(item, dict):
        return ""
    return hashlib.sha256(json.dumps(content(item), sort_keys=True).encode()).hexdigest()


def flat(value, path: str = "") -> dict:
    """Path -> value of everything in a structure: spec.template.spec.containers[api].image.

    The order of a list's names is a value too: spec.template.spec.initContainers[].
    """
    if isinstance(value, dict) and value:
        named = {k: f"{path}.{k}" if "." not in k and "/" not in k else f"{path}[{k}]"
                 for k in value}
        pairs = [(named[k].lstrip("."), v) for k, v in value.items()]
    elif isinstance(value, list) and value:
        names = [v.get("name") if isinstance(v, dict) else None for v in value]
        unique = all(isinstance(n, str) for n in names) and len(set(names)) == len(names)
        pairs = [(f"{path}[{n if unique else i}]", v)
                 for i, (n, v) in enumerate(zip(names, value))]
        pairs += [(f"{path}[]", ", ".join(names))] if unique and len(names) > 1 else []
    else:
        return {path: value}
    return {p: v for where, inner in pairs for p, v in flat(inner, where).items()}


def typed(value):
    """The same for values that JSON takes for one: its numbers are those of double precision."""
    if isinstance(value, dict):
        return {k: typed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [typed(v) for v in value]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number else [value] if isinstance(value, bool) else value


def exactly(one, other) -> bool:
    """Whether two values are one: true is not 1, and empty is not nothing, but 1 is 1.0."""
    return typed(one) == typed(other)


def differing(before: dict, after: dict, veiled: bool = False) -> dict:
    """Path -> (before, after) of what differs between two flat structures."""
    found = {}
    for path in {**before, **after}:
        pair = [side.get(path, NONE) for side in (before, after)]
        # The order of a list's names tells something only where all of them are the same.
        told = not path.endswith("[]") or len({*map(str, map(sorted, pair))}) == 1
        if told and not exactly(*pair):
            if veiled and in_veil(path):
                pair = [NONE if pair[0] == NONE else SECRET,
                        NONE if pair[1] == NONE else OTHER_SECRET]
            found[path] = tuple(pair)
    return found


def sides(found: dict) -> dict:
    """The form in which a field of a type reads it."""
    return {"live": {p: old for p, (old, _new) in found.items()},
            "stored": {p: new for p, (_old, new) in found.items()}}


def changes(item: dict, after: dict, rolls: str = "") -> dict:
    """What an apply would change, what lies at or below `rolls` for itself."""
    found = differing(flat(content(item)), flat(content(after)), secret(item))
    rolling = {p: v for p, v in found.items() if rolls and p.startswith(f"{rolls}.")}
    return {"manifest": sides({p: v for p, v in found.items() if p not in rolling}),
            "template": sides(rolling)}


def rejection(manifest: dict, item: dict, failure) -> dict:
    """What of a refused apply only a replacement can bring; else the refusal."""
    if not (isinstance(failure, Rejected) and failure.causes
            and all(IMMUTABLE.search(text) for _field, text in failure.causes)):
        return {"rejected": failure}
    live, wanted = flat(content(item)), flat(manifest)
    found = differing({p: live.get(p, NONE) for p in wanted}, wanted, secret(item))
    heads = tuple(field.split("[")[0] for field, _text in failure.causes)
    found = {p: v for p, v in found.items() if p.startswith(heads)}
    return {"immutable": sides(found or {f: ("(immutable)", "(changed)") for f in heads})}


def owners(causes, found: dict | None = None) -> dict:
    """Path -> field manager, of a conflict's causes; paths as in what `changes` has found."""
    paths = {plain(p): p for part in (found or {}).values() for p in part["stored"]}
    told = {}
    for field, said in causes:
        manager = re.search(r'conflict with "([^"]*)"', said)
        path = paths.get(plain(field), field.lstrip("."))
        told.setdefault(path, []).append(manager[1] if manager else said)
    return {path: ", ".join(dict.fromkeys(names)) for path, names in told.items()}


def plain(path: str) -> str:
    """The same for a path of `flat` and for the server's own: containers[name="a"].image."""
    return re.sub(r"[^\w/-]+", ".", path.replace("[name=", "[")).strip(".")


def contested(key: str, found: dict) -> str:
    """What a conflict with the managers of fields says."""
    told = "; ".join(f"{path} belongs to {manager}" for path, manager in found.items())
    return (f"{told}; leave it out of the set, or take it over with force_conflicts: [{key}] "
            "(of a stack: stack_force_conflicts)")


def why(item: dict) -> str:
    """What an object that is not as it should be says of itself."""
    return "; ".join(reasons(item))


def reasons(item: dict) -> list[str]:
    """Its finalizers while it goes, else its conditions that are not as they should be."""
    meta, status = item["metadata"], item.get("status") or {}
    conditions = [c for c in status.get("conditions") or () if isinstance(c, dict)]
    if meta.get("deletionTimestamp"):
        told = [c.get("message", "") for c in conditions
                if c["type"].startswith("Namespace") and c["status"] == "True"
                and c.get("reason") not in ("ContentDeleted", "ContentRemoved")]
        kept = [f"kept by finalizer {f}" for f in meta.get("finalizers") or ()]
        return [*kept, *told]
    bad = [c for c in conditions if c.get("status") ==
           ("True" if c["type"] in ("ReplicaFailure", "Failed", "Stalled") else "False")]
    return [f"{c['type']}: {c.get('message') or c.get('reason', '')}" for c in bad]


def settled(manifest: dict, item: dict | None) -> dict:
    """The manifest as it is applied to a live object, where some fields are not ours any more.

    Who leaves out a field that is still its own takes it away, so such a one keeps its live value.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
    """
    names = (manifest["metadata"].get("annotations") or {}).get(ONCE, "")
    if not (item and names):
        return manifest
    manifest = copy.deepcopy(manifest)
    ours = [e.get("fieldsV1") for e in item["metadata"].get("managedFields") or ()
            if e["manager"] == MANAGER and e["operation"] == "Apply"]
    for path in (name.strip().split(".") for name in names.split(",")):
        path[0] = "data" if secret(manifest) and path[0] in VEILED else path[0]
        place = at(manifest, path[:-1])
        if isinstance(place, dict) and place.pop(path[-1], None) is not None and any(
                at(fields, [f"f:{part}" for part in path]) is not None for fields in ours):
            place[path[-1]] = veil(at(item, path)) if secret(manifest) else at(item, path)
    return manifest


def at(value, path: list[str]):
    """What lies at a path of names; None where nothing does."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def labelled(manifest: dict, label: str, value: str) -> dict:
    """A copy of a manifest with one more label."""
    manifest = copy.deepcopy(manifest)
    meta = manifest["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), label: value}
    return manifest
