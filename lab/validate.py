"""Check parameters against botocore's own service model, as AWS does and moto does not."""

import functools
import json
import re
from pathlib import Path

from lab.errors import Refusal

DATA = Path(__file__).parent / "data"
EXCEPTIONS = json.loads((DATA / "model_exceptions.json").read_text())
FORMS = json.loads((DATA / "validation_errors.json").read_text())

# Java's character classes, in Python's words (a little wider where Python has none).
JAVA_CLASSES = [
    (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff"),
    (r"\p{Graph}", "!-~"), (r"\p{Alnum}", "A-Za-z0-9"), (r"\p{ASCII}", "\\x00-\\x7f"),
    (r"\p{Print}", " -~"), (r"\p{IsLetter}", r"\w"), (r"\p{L}", r"\w"), (r"\p{N}", r"\d"),
    (r"\p{Z}", r"\s"), (r"\p{M}", r"\w"), (r"\p{P}", "!-/:-@\\[-`{-~"), (r"\p{S}", "$+<=>^`|~"),
    ("\\w-_", "\\w_-"),
]
JSON_TYPES = {"string": str, "character": str, "boolean": bool, "integer": int, "long": int,
              "float": (int, float), "double": (int, float), "list": list, "map": dict,
              "structure": dict}


class Violation:
    def __init__(self, kind, path, value, rule):
        self.kind, self.path, self.value, self.rule = kind, path, value, rule

    def __str__(self):
        if self.kind == "required":
            return f"Value null at '{self.path}' failed to satisfy constraint: " \
                   "Member must not be null"
        if self.kind == "unknown":
            return f"Unknown parameter '{self.path}'"
        return (f"Value '{self.value}' at '{self.path}' failed to satisfy constraint: "
                f"Member must {self.rule}")


@functools.cache
def compiled(pattern):
    """The pattern for Python, or None where it cannot be said."""
    for java, python in JAVA_CLASSES:
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None


class Checker:
    """Collects every violation of one request."""

    def __init__(self, service):
        self.found = []
        self.excepted = EXCEPTIONS.get(service, {})

    def add(self, kind, path, value, rule=""):
        self.found.append(Violation(kind, path, value, rule))

    def check(self, shape, value, path):
        method = getattr(self, f"check_{shape.type_name}", None)
        if method and value is not None:
            method(shape, value, path)

    def check_structure(self, shape, value, path):
        if getattr(shape, "is_document_type", False) or not isinstance(value, dict):
            return
        for name in shape.required_members:
            if value.get(name) is None:
                self.add("required", member(path, name), None)
        for name, item in value.items():
            if name in shape.members:
                self.check(shape.members[name], item, member(path, name))

    def check_list(self, shape, value, path):
        self.size(shape, len(value), value, path)
        for number, item in enumerate(value, 1):
            self.check(shape.member, item, f"{path}.{number}.member")

    def check_map(self, shape, value, path):
        self.size(shape, len(value), value, path)
        for name, item in value.items():
            self.check(shape.key, name, f"{path}.key")
            self.check(shape.value, item, f"{path}.{name}")

    def check_string(self, shape, value, path):
        if not isinstance(value, str):
            return
        excepted = self.excepted.get(shape.name, {}).get("ignore", [])
        if "length" not in excepted:
            self.size(shape, len(value), value, path)
        if shape.enum and "enum" not in excepted and value not in shape.enum:
            self.add("enum", path, value, f"satisfy enum value set: {sorted(shape.enum)}")
        pattern = shape.metadata.get("pattern")
        known = compiled(pattern) if pattern and "pattern" not in excepted else None
        if known and not known.fullmatch(value):
            self.add("pattern", path, value, f"satisfy regular expression pattern: {pattern}")

    def check_blob(self, shape, value, path):
        if isinstance(value, (bytes, str)):
            self.size(shape, len(value), "...", path)

    def check_integer(self, shape, value, path):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if isinstance(value, str):
            return
        if low is not None and value < low:
            self.add("range", path, value, f"have value greater than or equal to {low}")
        if high is not None and value > high:
            self.add("range", path, value, f"have value less than or equal to {high}")

    check_long = check_float = check_double = check_integer

    def size(self, shape, length, value, path):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and length < low:
            self.add("length", path, value, f"have length greater than or equal to {low}")
        if high is not None and length > high:
            self.add("length", path, value, f"have length less than or equal to {high}")

    def check_json(self, shape, raw, path):
        """Types and unknown members, which the parser would drop silently."""
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


def member(path, name):
    return f"{path}.{name}" if path else name


def violations(call):
    shape = call.model.input_shape
    if shape is None:
        return []
    checker = Checker(call.service)
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
