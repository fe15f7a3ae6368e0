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

    What a value to come will be, nobody knows: that templates cannot deal with its text, or that
    it is of another type, is no reason. The role itself looks at it once it has come.
    """

    def __init__(self, loader, folder: str, variables: dict):
        self.loader, self.folder, self.name = loader, folder, os.path.basename(folder)
        self.given, self.outputs = variables, variables["stack_result"].get("outputs", ())
        self.known = {**(self._file("defaults") or {}), **variables, **(self._file("vars") or {}),
                      "stack_role": self.name, "ansible_search_path": [folder]}
        self.templar = Templar(loader, self.known)

    def _file(self, part: str):
        path = os.path.join(self.folder, part, "main.yml")
        return self.loader.load_from_file(path, trusted_as_template=True) \
            if os.path.exists(path) else None

    def misled(self, options: dict) -> list[str]:
        """What it does not take, a line each; its own defaults need no look."""
        said = {n: o for n, o in options.items() if n in self.given or n not in self.known}
        values, found = {}, []
        for name in [n for n in said if n in self.given]:
            try:
                values[name] = self.templar.template(self.given[name])
            except AnsibleUndefinedVariable as error:
                found.append(f"{self.name}: {name}: {self._hint(error)}")
            except AnsibleError:
                del said[name]
        return found or [line for line in ArgumentSpecValidator(said).validate(values)
                         .error_messages if TO_COME not in line]

    def unmade(self) -> list[str]:
        """What its own tasks refuse, by an assertion or while they make what the cluster gets.

        This takes the time of making it.
        """
        for task in self._file("tasks"):
            try:
                refuse = task.get(ASSERT)
                if refuse and not self.templar.evaluate_conditional(refuse["that"]):
                    return [f"{self.name}: {self.templar.template(refuse['fail_msg'])}"]
                self.templar.template(task.get(APPLYSET))
            except AnsibleUndefinedVariable as error:
                return [f"{self.name}: {self._hint(error)}"]
            except AnsibleError:
                pass
        return []

    def _hint(self, error: Exception) -> str:
        """What is not there, and the nearest of what the stack has."""
        key = re.search(r"has no attribute '([^'/]+/[^']+)'", str(error))
        return f"the stack has no {key[1]}{nearest(key[1], self.outputs)}" if key else str(error)
