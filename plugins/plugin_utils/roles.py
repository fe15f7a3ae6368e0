# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What roles for a cluster make of a host's variables, before any of them runs."""
from __future__ import annotations

import os
import re

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import Templar
from ansible_collections.groundwork.aws.plugins.module_utils.options import nearest

APPLYSET, ASSERT = "groundwork.aws.k8s_applyset", "ansible.builtin.assert"
TO_COME = "(after apply: "  # what stands for an output that is still to come


class Role:
    """A role, by its folder, as it will be with these variables of a play.

    Only what is certain is refused. Where an output that is still to come has a say, the role
    itself looks once it has come.
    """

    def __init__(self, loader, folder: str, variables: dict):
        self.loader, self.folder, self.name = loader, folder, os.path.basename(folder)
        result = variables["stack_result"]
        self.given, self.outputs = variables, result.get("outputs", ())
        known = {**(self._file("defaults") or {}), **variables, **(self._file("vars") or {}),
                 "stack_role": self.name, "ansible_search_path": [folder]}
        self.known, self.templar = known, Templar(loader, known)
        self.without = Templar(loader, {**known, "stack_result": settled(result)})

    def _file(self, part: str):
        path = os.path.join(self.folder, part, "main.yml")
        return self.loader.load_from_file(path, trusted_as_template=True) \
            if os.path.exists(path) else None

    def _certain(self, ask) -> tuple | None:
        """(what `ask` finds with a templar, what it finds undefined); None where something that is
        still to come has a say."""
        ends = []
        for templar in (self.templar, self.without):
            try:
                ends.append((ask(templar), ""))
            except AnsibleUndefinedVariable as error:
                ends.append((None, str(error)))
            except AnsibleError:
                return None
        return ends[0] if ends[0] == ends[1] else None

    def misled(self, options: dict) -> list[str]:
        """What it does not take, a line each; its own defaults need no look."""
        said = {n: o for n, o in options.items() if n in self.given or n not in self.known}
        values, found = {}, []
        for name in [n for n in said if n in self.given]:
            end = self._certain(lambda templar, n=name: templar.template(self.given[n]))
            if end and not end[1]:
                values[name] = end[0]
                continue
            del said[name]
            found += [f"{self.name}: {name}: {self._hint(end[1])}"] if end else []
        return found or ArgumentSpecValidator(said).validate(values).error_messages

    def unmade(self) -> list[str]:
        """What its own tasks refuse, by an assertion or while they make what the cluster gets.

        This takes the time of making it.
        """
        for task in self._file("tasks"):
            refuse = task.get(ASSERT)
            end = self._certain(
                lambda templar, task=task: templar.evaluate_conditional(task[ASSERT]["that"])
                if ASSERT in task else templar.template(task.get(APPLYSET)))
            if end and end[1]:
                return [f"{self.name}: {self._hint(end[1])}"]
            if end and refuse and not end[0]:
                return [f"{self.name}: {self.templar.template(refuse['fail_msg'])}"]
        return []

    def _hint(self, undefined: str) -> str:
        """What is not there, and the nearest of what the stack has, or what to do."""
        key = re.search(r"has no attribute '([^'/]+/[^']+)'", undefined)
        if key:
            return f"the stack has no {key[1]}{nearest(key[1], self.outputs)}"
        more = "; if a role before it makes that, write a default for it"
        return undefined + (more if re.fullmatch(r"'\w+' is undefined\.?", undefined) else "")


def settled(value):
    """The value without what is still to come."""
    if isinstance(value, dict):
        return {k: settled(v) for k, v in value.items() if not to_come(v)}
    return [settled(v) for v in value if not to_come(v)] if isinstance(value, list) else value


def to_come(value) -> bool:
    return isinstance(value, str) and TO_COME in value
