# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of Kubernetes Secrets that the module itself reads from AWS Secrets Manager.

In a manifest `{secretsmanager: NAME, key: KEY}` stands for the value, so that no variable, template
or task ever holds it.
"""
from __future__ import annotations

from .engine.errors import Refused
from .types.compare import secret

NAME, KEY = "secretsmanager", "key"


def filled(manifests: list, aws, check_mode: bool) -> list:
    """The manifests with those values; `Refused` with every one that is not there.

    `aws()` is the `Aws` to ask. In check mode a secret may still be to come.
    """
    problems = []

    def value(path: str, given):
        if not (isinstance(given, dict) and NAME in given and set(given) <= {NAME, KEY}):
            return given
        from .types.secretsmanager import value_of  # brings along what a kubeconfig does not need
        try:
            found = value_of(aws(), given[NAME], given.get(KEY))
        except ValueError as error:
            problems.append(f"{path}: {error}")
            return ""
        if found is None and not check_mode:
            problems.append(f"{path}: Secrets Manager has no value of secret {given[NAME]}; "
                            "converge the stack, or put it in by hand")
        return f"(after apply: {given[NAME]})" if found is None else found

    def one(path: str, manifest):
        if not isinstance(manifest, dict):
            return manifest
        if isinstance(manifest.get("items"), list):
            return {**manifest, "items": [one(f"{path}.items[{i}]", m)
                                          for i, m in enumerate(manifest["items"])]}
        data = manifest.get("stringData")
        if not (secret(manifest) and isinstance(data, dict)):
            return manifest
        return {**manifest, "stringData": {
            k: value(f"{path}.stringData.{k}", v) for k, v in data.items()}}

    found = [one(f"objects[{i}]", m) for i, m in enumerate(manifests)]
    if problems:
        raise Refused(problems)
    return found
