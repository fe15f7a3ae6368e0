# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource policies: written, read and compared, whatever form of them AWS keeps.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""
from __future__ import annotations

import json
import re

from ..engine.resource import canonical

VERSION = "2012-10-17"


def document(statements: list) -> dict:
    """A policy of these statements; empty when there are none."""
    return {"Version": VERSION, "Statement": list(statements)} if statements else {}


def text(policy: dict) -> str:
    """A policy as its API takes it: JSON, conditions as strings."""
    return json.dumps(_strings(policy), sort_keys=True)


def parse(policy) -> dict:
    """A policy as a dictionary, from JSON or from a dictionary."""
    return json.loads(policy) if isinstance(policy, str) else policy


def same(wanted, live) -> bool:
    """Whether two policies mean the same: one or a list of one, account id or its root, order."""
    return _plain(wanted) == _plain(live)


def _strings(value):
    """Booleans and numbers as the strings that a policy wants."""
    if isinstance(value, dict):
        return {k: _strings(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_strings(v) for v in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _plain(policy) -> str:
    statements = _strings(parse(policy or {})).get("Statement", [])
    statements = [statements] if isinstance(statements, dict) else statements
    return canonical([_statement(s) for s in statements])


def _statement(statement: dict) -> dict:
    plain = {name: _listed(value) for name, value in statement.items()}
    for name in ("Principal", "NotPrincipal"):
        if statement.get(name) == "*":
            plain[name] = {"AWS": ["*"]}
    return plain


def _listed(value):
    """Every single value as a list of one, at any depth."""
    if isinstance(value, dict):
        return {k: _listed(v) for k, v in value.items()}
    values = value if isinstance(value, list) else [value]
    return [re.sub(r"^arn:[\w-]+:iam::(\d{12}):root$", r"\1", v) for v in values]
