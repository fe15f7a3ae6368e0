# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action of groundwork.aws.stack."""
from __future__ import annotations

from ansible_collections.groundwork.aws.plugins.plugin_utils import action
from ansible_collections.groundwork.aws.plugins.plugin_utils.roles import Role


class ActionModule(action.ActionModule):
    """Where there are roles for the cluster, it plans first, and refuses what they do not take.

    Their variables are templates over outputs, which only a plan knows. Where the plan has nothing
    to do, it is all there is to the run.
    """

    def _module(self, task_vars):
        given, check_mode = self._task.args, self._task.check_mode
        if not given.get("roles") or given.get("state") == "absent":
            return super()._module(task_vars)
        self._task.check_mode = True
        try:
            planned = super()._module(task_vars)
        finally:
            self._task.check_mode = check_mode
        if planned.get("failed"):
            return planned
        ahead = planned["changed"] and not check_mode
        wrong = self._refused(given["roles"], {**task_vars, "stack_result": planned}, ahead)
        if wrong:
            return {"failed": True, "msg": "\n".join(wrong), "problems": wrong}
        return super()._module(task_vars) if ahead else planned

    def _refused(self, folders: dict, variables: dict, ahead: bool) -> list[str]:
        """What is wrong with the roles; where nothing is ahead, each makes its objects next."""
        roles = {Role(self._loader, f, variables): options for f, options in folders.items()}
        wrong = [line for role, options in roles.items() for line in role.misled(options)]
        return wrong or [line for role in roles if ahead for line in role.unmade()]
