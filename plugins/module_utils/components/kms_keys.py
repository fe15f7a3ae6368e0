# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kms_keys: keys of our own, each with an alias."""
from __future__ import annotations

import re

from ..types.kms import Alias, Key
from ..types.policies import document
from .permissions import checked_statements

KEY = dict(
    alias=dict(type="str"),
    description=dict(type="str", default=""),
    key_spec=dict(type="str", default="SYMMETRIC_DEFAULT"),
    key_usage=dict(type="str", default="ENCRYPT_DECRYPT",
                   choices=["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC",
                            "KEY_AGREEMENT"]),
    multi_region=dict(type="bool", default=False),
    enable_key_rotation=dict(type="bool"),
    rotation_period_in_days=dict(type="int"),
    policy_statements=dict(type="list", elements="dict", default=[]),
    deletion_window_in_days=dict(type="int", default=30),
    deletion_protection=dict(type="bool", default=True),
    tags=dict(type="dict", default={}),
)
SPEC = dict(keys=dict(type="dict", default={}, no_log=False))
NAMED = {"keys": KEY}
# Bounds: API_ScheduleKeyDeletion and API_EnableKeyRotation of
# https://docs.aws.amazon.com/kms/latest/APIReference/
ROTATION = 365  # days, as AWS rotates where nothing is given
BOUNDS = {"deletion_window_in_days": (7, 30), "rotation_period_in_days": (90, 2560)}


def build(options: dict, stack) -> list:
    """A key and an alias for each name."""
    problems, found = [], []
    for name, given in options["keys"].items():
        key = _key(name, given, stack, problems)
        alias = given["alias"] or stack.name("kms", name)
        alias = alias if alias.startswith("alias/") else f"alias/{alias}"
        if not re.fullmatch(r"alias/(?!aws/)[a-zA-Z0-9/_-]{1,250}", alias):
            problems.append(f"keys.{name}.alias: {alias} has other characters than letters, "
                            "digits and / _ - or begins with alias/aws/")
        found += [key, Alias(key=f"kms_keys/alias/{name}", alias_name=alias, key_id=key)]
    if problems:
        raise ValueError("\n".join(problems))
    return found


def _key(name: str, given: dict, stack, problems: list) -> Key:
    path, plain = f"keys.{name}", given["key_spec"] == "SYMMETRIC_DEFAULT"
    for option, (least, most) in BOUNDS.items():
        if given[option] is not None and not least <= given[option] <= most:
            problems.append(f"{path}.{option}: {given[option]} must be from {least} to {most}")
    rotated = given["enable_key_rotation"]
    rotated = plain if rotated is None else rotated
    if rotated and not plain:
        problems.append(f"{path}.enable_key_rotation: KMS rotates symmetric keys "
                        "only; leave it out")
    if given["rotation_period_in_days"] and not rotated:
        problems.append(f"{path}.rotation_period_in_days: needs enable_key_rotation")
    statements = checked_statements(f"{path}.policy_statements", given["policy_statements"],
                                    stack, problems, principal=True)
    # Without the first statement nobody could ever change the policy again:
    # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    owner = {"Sid": "AccountMayUseIamPolicies", "Effect": "Allow", "Action": "kms:*",
             "Resource": "*",
             "Principal": {"AWS": stack.arn("iam", "root", account=stack.account_id)}}
    return Key(
        key=f"kms_keys/key/{name}", description=given["description"],
        key_spec=given["key_spec"], key_usage=given["key_usage"],
        multi_region=given["multi_region"], tags=dict(given["tags"]),
        policy=document([owner, *({"Resource": "*", **s} for s in statements)]),
        enable_key_rotation=rotated if plain else None,
        rotation_period_in_days=(given["rotation_period_in_days"] or ROTATION) if rotated else None,
        deletion_window_in_days=given["deletion_window_in_days"],
        deletion_protection=given["deletion_protection"])
