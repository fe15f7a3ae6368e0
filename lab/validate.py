"""Check parameters against botocore's own service model, as AWS does and moto does not."""

import functools
import json
from pathlib import Path

from ansible_collections.groundwork.aws.plugins.module_utils.clients.shapes import (
    Checker, member,
)
from lab.errors import Refusal

DATA = Path(__file__).parent / "data"
FORMS = json.loads((DATA / "validation_errors.json").read_text())

JSON_TYPES = {"string": str, "character": str, "boolean": bool, "integer": int, "long": int,
              "float": (int, float), "double": (int, float), "list": list, "map": dict,
              "structure": dict}


class Raw(Checker):
    """With what the parser would drop silently."""

    def check_json(self, shape, raw, path):
        """Types and unknown members."""
        if raw is None or getattr(shape, "is_document_type", False):
            return
        wanted = JSON_TYPES.get(shape.type_name)
        if wanted and (not isinstance(raw, wanted)
                       or isinstance(raw, bool) and shape.type_name != "boolean"):
            self.add("type", path, raw, f"be of type {shape.type_name}")
        elif shape.type_name == "structure":
            names = {part.serialization.get("name", name): part
                     for name, part in shape.members.items()}
            for name, item in raw.items():
                if name in names:
                    self.check_json(names[name], item, member(path, name))
                else:
                    self.add("unknown", member(path, name), item)
        elif shape.type_name == "list":
            for number, item in enumerate(raw, 1):
                self.check_json(shape.member, item, f"{path}.{number}.member")
        elif shape.type_name == "map":
            for name, item in raw.items():
                self.check_json(shape.value, item, f"{path}.{name}")


def violations(call):
    shape = call.model.input_shape
    if shape is None:
        return []
    checker = Raw(call.service)
    checker.check(shape, call.params, "")
    if call.protocol in ("json", "rest-json"):
        body_shape, raw = json_body(call, shape)
        if body_shape is not None and isinstance(raw, dict):
            checker.check_json(body_shape, raw, "")
    elif call.protocol in ("query", "ec2"):
        unknown_query_members(call, shape, checker)
    return checker.found


def json_body(call, shape):
    payload = shape.serialization.get("payload")
    body_shape = shape.members[payload] if payload else shape
    if body_shape.type_name != "structure":
        return None, None
    try:
        return body_shape, json.loads(call.request.get_data() or b"{}")
    except ValueError:
        return None, None


def unknown_query_members(call, shape, checker):
    known = query_names(call.protocol, shape)
    for key in call.request.values:
        first = key.split(".", 1)[0]
        if first not in known and not first.startswith("X-Amz-"):
            checker.add("unknown", first, call.request.values[key])


@functools.cache
def query_names(protocol, shape):
    names = {"Action", "Version"}
    for name, part in shape.members.items():
        data = part.serialization
        alias = data.get("name", name)
        if protocol == "ec2":
            alias = data.get("queryName") or alias[0].upper() + alias[1:]
        elif part.type_name == "list" and data.get("flattened"):
            alias = part.member.serialization.get("name", alias)
        names.add(alias)
    return names


def refusal(call, found):
    """The service's own error for the first thing it would stumble over."""
    form = FORMS.get(call.service) or FORMS[call.protocol]
    first = found[0]
    if form.get("style") == "parameter":
        name = first.path.split(".")[0]
        if first.kind == "required":
            return Refusal("MissingParameter",
                           f"The request must contain the parameter {name}", 400)
        if first.kind == "unknown":
            return Refusal("UnknownParameter",
                           f"The parameter {name} is not recognized", 400)
        return Refusal(form["code"], f"Value ({first.value}) for parameter {name} is invalid. "
                       f"{first}", 400)
    count = len(found)
    text = "; ".join(str(item) for item in found)
    plural = "errors" if count > 1 else "error"
    return Refusal(form["code"], f"{count} validation {plural} detected: {text}", 400)
