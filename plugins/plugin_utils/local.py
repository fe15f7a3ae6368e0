# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module on this machine from where it is installed: nothing to pack, send and compile.

Ansible packs each module with all it imports into an archive, for machines without the
collection. Where the module runs on the controller with the controller's own Python, that is most
of the time of a run with nothing to do.
"""
from __future__ import annotations

import json
import os
import shlex
import sys

from ansible import constants
from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
from ansible.utils.collection_loader import AnsibleCollectionConfig

PROFILE = "legacy"  # the one of modules that do not ask for another
PROCESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "process.py")


def here(action) -> bool:
    """Whether the module of a task runs on this machine, as this user, while the task waits."""
    connection = action._connection
    return connection.transport == "local" and not getattr(connection, "become", None) \
        and not action._task.async_val


def possible(action, task_vars: dict) -> bool:
    """Whether a collection's module would run here, as this user, with this Python."""
    if not here(action) or action._task.delegate_to or constants.DEFAULT_KEEP_REMOTE_FILES:
        return False
    python = action._templar.template(task_vars.get("ansible_python_interpreter", ""))
    return python == sys.executable and _imported_by(action).startswith("ansible_collections.")


def execute(action, task_vars: dict) -> dict:
    """What the module returns, as `_execute_module` does."""
    name, arguments = action._task.action, dict(action._task.args)
    action._update_module_args(name, arguments, task_vars)
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    order = {"module": _imported_by(action), "profile": PROFILE,
             "paths": [os.path.join(p, "ansible_collections")
                       for p in AnsibleCollectionConfig.collection_paths],
             "given": json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder)}
    command = f"{action._compute_environment_string()} {shlex.join([sys.executable, PROCESS])}"
    answer = action._low_level_execute_command(
        command.strip(), sudoable=False, in_data=json.dumps(order).encode())
    return _result(answer)


def _imported_by(action) -> str:
    """The name that Python knows the module of the task by."""
    loader = action._shared_loader_obj.module_loader
    found = loader.find_plugin_with_context(action._task.action,
                                            collection_list=action._task.collections)
    return found.plugin_resolved_name


def _result(answer: dict) -> dict:
    out, err = answer.get("stdout", ""), answer.get("stderr", "")
    decoder = get_module_decoder(PROFILE, Direction.MODULE_TO_CONTROLLER)
    try:
        found = json.loads(out, cls=decoder)
    except ValueError:
        return {"failed": True, "rc": answer.get("rc"), "module_stdout": out, "module_stderr": err,
                "msg": f"The module ended without a result: {(err or out).strip()}"}
    return {k: v for k, v in found.items() if not k.startswith("_ansible_")}
