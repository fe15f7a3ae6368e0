# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks the options of components, every problem at once, with the nearest of misspelt names."""
from __future__ import annotations

import copy
import difflib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator


def nearest(name: str, known) -> str:
    """`; did you mean x?` when a known name is close, else nothing."""
    close = difflib.get_close_matches(str(name), list(known), 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""


def checked(path: str, given: dict, spec: dict, named: dict | None = None) -> tuple[dict, list]:
    """Options with types converted and defaults filled in, and the problems found.

    `named`: option -> spec of each value of a dictionary keyed by names of the user's choice, or
    a pair of that spec and the `named` of such a value.
    """
    if not isinstance(given, dict):
        return {}, [f"{path}: must be a dictionary"]
    known, problems = _known(path, given, spec)
    # A copy: Ansible fills the defaults of an inner dictionary into the default itself.
    validator = ArgumentSpecValidator(copy.deepcopy(spec)).validate(known)
    problems += [f"{path}: {text}" for text in validator.error_messages]
    options = validator.validated_parameters
    for option, inner in (named or {}).items():
        inner, deeper = inner if isinstance(inner, tuple) else (inner, None)
        values = options.get(option)
        if not isinstance(values, dict):
            continue
        options[option] = {}
        for name, value in values.items():
            if name is None or not str(name).strip():
                problems.append(f"{path}.{option}: a name is empty; give it one")
            options[option][str(name)], found = checked(
                f"{path}.{option}.{name}", {} if value is None else value, inner, deeper)
            problems += found
    return options, problems


def _known(path: str, given: dict, spec: dict) -> tuple[dict, list]:
    """What the spec knows of the given options, at every depth, and a problem for the rest."""
    aliases = {a: n for n, s in spec.items() for a in s.get("aliases", ())}
    names = {**{n: n for n in spec}, **aliases}
    known, problems = {}, []
    for name, value in given.items():
        if name not in names:
            where = f"; see ansible-doc groundwork.aws.{path.split('.')[0]}"
            problems.append(f"{path}.{name}: unknown option{nearest(name, names) or where}")
            continue
        inner = spec[names[name]].get("options")
        if isinstance(value, list):
            problems += [f"{path}.{name}[{i}]: is empty; write a value, or leave it out"
                         for i, item in enumerate(value)
                         if item is None or isinstance(item, str) and not item.strip()]
        if inner and isinstance(value, dict):
            value, found = _known(f"{path}.{name}", value, inner)
            problems += found
        elif inner and isinstance(value, list):
            pairs = [_known(f"{path}.{name}[{i}]", item, inner) if isinstance(item, dict)
                     else (item, []) for i, item in enumerate(value)]
            value = [item for item, _found in pairs if item is not None]
            problems += [text for _item, found in pairs for text in found]
        known[name] = value
    return known, problems


class Module(AnsibleModule):
    """A module that words what is wrong with its options as a stack does, all of it at once."""

    def __init__(self, name: str, spec: dict, named: dict | None = None, **rules):
        self._checks = name, spec, named
        super().__init__(spec, supports_check_mode=True, **rules)
        self._checks = None

    def fail_json(self, msg, **result):
        """While Ansible checks the options, its first complaint becomes every problem."""
        if self._checks:
            name, spec, named = self._checks
            given = {k: v for k, v in self.params.items() if v is not None}
            result["problems"] = checked(name, given, spec, named)[1] or [msg]
            msg = "\n".join(result["problems"])
        super().fail_json(msg=msg, **result)
