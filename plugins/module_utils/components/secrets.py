# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""secrets: secrets whose values AWS makes and nobody here sees."""
from __future__ import annotations

import re

from ..types.secretsmanager import Secret, Template
from .spelling import camel

# Parameters of
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html
PASSWORD = dict(
    password_length=dict(type="int", default=32, no_log=False),
    exclude_characters=dict(type="str"),
    exclude_numbers=dict(type="bool"),
    exclude_punctuation=dict(type="bool"),
    exclude_uppercase=dict(type="bool"),
    exclude_lowercase=dict(type="bool"),
    include_space=dict(type="bool"),
    require_each_included_type=dict(type="bool"),
)
SECRET = dict(
    name=dict(type="str"),
    description=dict(type="str"),
    kms_key=dict(type="str", no_log=False),
    generate=dict(type="bool", default=True),
    generate_secret_string=dict(type="dict", default={}, no_log=False, options=dict(
        secret_string_template=dict(type="dict", no_log=False),
        generate_string_key=dict(type="str", no_log=False), **PASSWORD)),
    generate_certificate=dict(type="dict", options=dict(
        dns_names=dict(type="list", elements="str", required=True),
        days=dict(type="int", default=3650))),
    recovery_window_in_days=dict(type="int", default=30),
    deletion_protection=dict(type="bool", default=True),
    tags=dict(type="dict", default={}),
)
SPEC = dict(secrets=dict(type="dict", default={}, no_log=False))
NAMED = {"secrets": SECRET}


def build(options: dict, stack) -> list:
    """One secret for each name."""
    problems = []
    found = [_secret(name, given, stack, problems) for name, given in options["secrets"].items()]
    if problems:
        raise ValueError("\n".join(problems))
    return found


def _secret(name: str, given: dict, stack, problems: list) -> Secret:
    path, own = f"secrets.{name}", given["name"] or f"{stack.id}/{name}"
    if not re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", own):
        problems.append(f"{path}.name: {own} has other characters than letters, digits and "
                        "/ _ + = . @ -")
    elif re.search(r"-[A-Za-z0-9]{6}$", own) and given["name"]:
        problems.append(f"{path}.name: a name that ends in a hyphen and six characters looks like "
                        "an ARN to Secrets Manager; choose another end")
    days, how = given["recovery_window_in_days"], given["generate_secret_string"]
    if days != 0 and not 7 <= days <= 30:
        problems.append(f"{path}.recovery_window_in_days: {days} must be from 7 to 30, or 0 for "
                        "removal at once")
    template = how["secret_string_template"]
    if template and not how["generate_string_key"]:
        problems.append(f"{path}.generate_secret_string: secret_string_template needs "
                        "generate_string_key, the name under which the password goes in")
    least = 4 if how["require_each_included_type"] is not False else 1
    if not least <= how["password_length"] <= 4096:
        problems.append(f"{path}.generate_secret_string.password_length: must be from {least} to "
                        "4096")
    certificate = given["generate_certificate"]
    if certificate and not certificate["dns_names"]:
        problems.append(f"{path}.generate_certificate.dns_names: name at least one")
    password = {camel(n): how[n] for n in PASSWORD if how[n] is not None}
    return Secret(
        key=f"secrets/secret/{name}", name=own, description=given["description"],
        kms_key=stack.kms_key(given["kms_key"]) if given["kms_key"] else None,
        password=password if given["generate"] else None,
        certificate=certificate if given["generate"] else None,
        template=Template(template) if template else None,
        generate_string_key=how["generate_string_key"], recovery_window_in_days=days,
        deletion_protection=given["deletion_protection"], tags=dict(given["tags"]))
