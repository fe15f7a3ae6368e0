# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The objects that a role would hand to its cluster, without a play."""
from __future__ import annotations

import functools
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[1] / "roles"
CASES = Path(__file__).parent / "roles"
APPLYSET = "groundwork.aws.k8s_applyset"
# What every role finds in a stack.
STACK = {"stack_product": "acme", "stack_environment": "test"}


@functools.lru_cache(maxsize=None)
def cases() -> tuple:
    """(role, name, case) of every file of cases."""
    return tuple((path.stem, case["name"], case) for path in sorted(CASES.glob("*.yml"))
                 for case in yaml.safe_load(path.read_text())["cases"])


def options(role: str) -> dict:
    """The variables that a role documents."""
    specs = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())
    return specs["argument_specs"]["main"]["options"]


def rendered(role: str, variables: dict) -> list[dict]:
    """The manifests of a role with these variables."""
    text = (ROLES / role / "templates" / "objects.yml.j2").read_text()
    manifests = templar(role, variables).template(trust_as_template(text))
    return [m for m in yaml.safe_load_all(manifests) if m]


def set_name(role: str, variables: dict) -> str:
    """The set that the manifests are."""
    tasks = yaml.safe_load((ROLES / role / "tasks" / "main.yml").read_text())
    name, = [task[APPLYSET]["name"] for task in tasks if APPLYSET in task]
    return templar(role, variables).template(trust_as_template(name))


def templar(role: str, variables: dict) -> Templar:
    """What a role makes of texts with these variables, which must be as it documents them, but for
    those that its own vars define."""
    loader, known = DataLoader(), dict(STACK)
    for folder in ("defaults", "vars"):
        path = ROLES / role / folder / "main.yml"
        own = loader.load_from_file(str(path), trusted_as_template=True) if path.exists() else {}
        known |= own
    wanted = ArgumentSpecValidator(options(role)).validate(
        {name: value for name, value in variables.items()
         if name.startswith(f"{role}_") and name not in own})
    assert not wanted.error_messages, wanted.error_messages
    loader.set_basedir(str(ROLES / role / "templates"))  # for what a template includes
    return Templar(loader, {**known, **variables})
