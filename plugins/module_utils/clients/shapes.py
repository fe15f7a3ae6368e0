# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parameters of calls against the model of their API: lengths, ranges, patterns, known values."""
from __future__ import annotations

import functools
import re
from dataclasses import dataclass

# Where the model is stricter than AWS: (service, shape) -> what of it does not count. New instance
# types and regions appear before a release of botocore; AWS refuses unknown ones itself.
LOOSE = {("ec2", "InstanceType"): ("enum",), ("s3", "BucketLocationConstraint"): ("enum",)}

# Java's character classes, in Python's words (a little wider where Python has none).
JAVA_CLASSES = [
    (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff"),
    (r"\p{Graph}", "!-~"), (r"\p{Alnum}", "A-Za-z0-9"), (r"\p{ASCII}", "\\x00-\\x7f"),
    (r"\p{Print}", " -~"), (r"\p{IsLetter}", r"\w"), (r"\p{L}", r"\w"), (r"\p{N}", r"\d"),
    (r"\p{Z}", r"\s"), (r"\p{M}", r"\w"), (r"\p{P}", "!-/:-@\\[-`{-~"), (r"\p{S}", "$+<=>^`|~"),
    ("\\w-_", "\\w_-"),
]


@dataclass(frozen=True)
class Violation:
    """One value that the model does not allow."""

    kind: str  # required, unknown, type, length, range, enum or pattern
    path: str  # of the parameter, as the API spells it
    value: object
    rule: str  # what it must

    def __str__(self):
        if self.kind == "required":
            return f"Value null at '{self.path}' failed to satisfy constraint: " \
                   "Member must not be null"
        if self.kind == "unknown":
            return f"Unknown parameter '{self.path}'"
        return (f"Value '{self.value}' at '{self.path}' failed to satisfy constraint: "
                f"Member must {self.rule}")


@functools.lru_cache(maxsize=None)
def compiled(pattern: str):
    """The pattern for Python, or None where it cannot be said."""
    for java, python in JAVA_CLASSES:
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None


def member(path: str, name: str) -> str:
    """The path of a member."""
    return f"{path}.{name}" if path else name


class Checker:
    """Collects every violation of one request; shapes are those of botocore."""

    def __init__(self, service: str):
        self.service, self.found = service, []

    def add(self, kind, path, value, rule=""):
        """Notes a violation."""
        self.found.append(Violation(kind, path, value, rule))

    def check(self, shape, value, path=""):
        """A value, and all that it holds."""
        method = getattr(self, f"check_{shape.type_name}", None)
        if method and value is not None:
            method(shape, value, path)

    def check_structure(self, shape, value, path):
        """Its members, and those that are missing; tokens are filled in when it is sent."""
        if getattr(shape, "is_document_type", False) or not isinstance(value, dict):
            return
        for name in shape.required_members:
            if value.get(name) is None and \
                    not shape.members[name].metadata.get("idempotencyToken"):
                self.add("required", member(path, name), None, "not be null")
        for name, item in value.items():
            if name in shape.members:
                self.check(shape.members[name], item, member(path, name))

    def check_list(self, shape, value, path):
        """Its length and its items."""
        self.size(shape, len(value), value, path)
        for number, item in enumerate(value, 1):
            self.check(shape.member, item, f"{path}.{number}.member")

    def check_map(self, shape, value, path):
        """Its length, its keys and its values."""
        self.size(shape, len(value), value, path)
        for name, item in value.items():
            self.check(shape.key, name, f"{path}.key")
            self.check(shape.value, item, f"{path}.{name}")

    def check_string(self, shape, value, path):
        """Length, known values and pattern."""
        if not isinstance(value, str):
            return
        loose = LOOSE.get((self.service, shape.name), ())
        self.size(shape, len(value), value, path)
        if shape.enum and "enum" not in loose and value not in shape.enum:
            self.add("enum", path, value, f"satisfy enum value set: {sorted(shape.enum)}")
        pattern = shape.metadata.get("pattern")
        known = compiled(pattern) if pattern else None
        if known and not known.fullmatch(value):
            self.add("pattern", path, value, f"satisfy regular expression pattern: {pattern}")

    def check_blob(self, shape, value, path):
        """Its length."""
        if isinstance(value, (bytes, str)):
            self.size(shape, len(value), "...", path)

    def check_integer(self, shape, value, path):
        """Its range."""
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if isinstance(value, str):
            return
        if low is not None and value < low:
            self.add("range", path, value, f"have value greater than or equal to {low}")
        if high is not None and value > high:
            self.add("range", path, value, f"have value less than or equal to {high}")

    check_long = check_float = check_double = check_integer

    def size(self, shape, length, value, path):
        """The length of a text, a list or a map."""
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and length < low:
            self.add("length", path, value, f"have length greater than or equal to {low}")
        if high is not None and length > high:
            self.add("length", path, value, f"have length less than or equal to {high}")
