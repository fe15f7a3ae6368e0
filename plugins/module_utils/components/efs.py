# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""efs: file systems with mount targets in each zone, access points, lifecycle and policy."""
from __future__ import annotations

import hashlib

from ..types.ec2 import Subnet
from ..types.efs import AccessPoint, FileSystem, MountTarget
from ..types.policies import document
from .network import zone_letter
from .placement import access_problems, guarded
from .spelling import as_aws

PORT = 2049  # NFS
AGES = [f"AFTER_{n}_DAYS" for n in (1, 7, 14, 30, 60, 90, 180, 270, 365)]
ACCESS_POINT = dict(
    posix_user=dict(type="dict", options=dict(
        uid=dict(type="int", required=True),
        gid=dict(type="int", required=True),
        secondary_gids=dict(type="list", elements="int"),
    )),
    root_directory=dict(type="dict", options=dict(
        path=dict(type="str", default="/"),
        creation_info=dict(type="dict", options=dict(
            owner_uid=dict(type="int", required=True),
            owner_gid=dict(type="int", required=True),
            permissions=dict(type="str", required=True),
        )),
    )),
    tags=dict(type="dict", default={}),
)
FILE_SYSTEM = dict(
    encrypted=dict(type="bool", default=True),
    kms_key=dict(type="str"),
    performance_mode=dict(type="str", choices=["generalPurpose", "maxIO"]),
    throughput_mode=dict(type="str", choices=["bursting", "provisioned", "elastic"]),
    provisioned_throughput_in_mibps=dict(type="float"),
    lifecycle=dict(type="dict", default={}, options=dict(
        transition_to_ia=dict(type="str", choices=AGES),
        transition_to_archive=dict(type="str", choices=AGES),
        transition_to_primary_storage_class=dict(type="str", choices=["AFTER_1_ACCESS"]),
    )),
    backup_policy=dict(type="str", choices=["ENABLED", "DISABLED"]),
    mount_targets=dict(type="dict", default={}, options=dict(
        subnets=dict(type="list", elements="str"),
        security_groups=dict(type="list", elements="str"),
        source_security_groups=dict(type="list", elements="str", default=[]),
        source_cidr_blocks=dict(type="list", elements="str", default=[]),
    )),
    access_points=dict(type="dict", default={}),
    tls_only=dict(type="bool", default=True),
    policy_statements=dict(type="list", elements="dict", default=[]),
    deletion_protection=dict(type="bool", default=True),
    tags=dict(type="dict", default={}),
)
SPEC = dict(file_systems=dict(type="dict", default={}))
NAMED = {"file_systems": (FILE_SYSTEM, {"access_points": ACCESS_POINT})}
# A policy takes the place of the default one, which lets every client in that reaches a mount
# target; so the first statement says that again. As the console writes it:
# https://docs.aws.amazon.com/efs/latest/ug/enforce-encryption-in-transit.html
TLS_ONLY = [
    {"Sid": "MountTargetClients", "Effect": "Allow", "Principal": {"AWS": "*"},
     "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientRootAccess",
                "elasticfilesystem:ClientWrite"],
     "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}},
    {"Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*",
     "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
]


def build(options: dict, stack) -> list:
    """The file systems with all that belongs to them."""
    resources, problems = [], []
    for name, given in options["file_systems"].items():
        path = f"file_systems.{name}"
        problems += [f"{path}{problem}" for problem in _problems(given)]
        file_system = _file_system(name, given, stack)
        subnets = _subnets(f"{path}.mount_targets.subnets", given["mount_targets"], stack,
                           problems)
        groups, own = guarded(f"efs/{name}", PORT, given["mount_targets"], stack) if subnets \
            else ([], [])
        resources += [file_system, *own]
        resources += [MountTarget(key=f"efs/mount_target/{name}-{subnet_name}", subnet=subnet,
                                  file_system=file_system, security_groups=groups)
                      for subnet_name, subnet in subnets.items()]
        resources += [_access_point(f"{name}-{n}", point, file_system)
                      for n, point in given["access_points"].items()]
    if problems:
        raise ValueError("\n".join(problems))
    return resources


def _problems(given: dict) -> list[str]:
    """What EFS would refuse."""
    found = []
    provisioned = given["provisioned_throughput_in_mibps"] is not None
    if provisioned != (given["throughput_mode"] == "provisioned"):
        found.append(".provisioned_throughput_in_mibps: goes with throughput_mode provisioned, "
                     "and only with it")
    if given["kms_key"] and not given["encrypted"]:
        found.append(".kms_key: needs encrypted: true")
    if given["performance_mode"] == "maxIO" and given["throughput_mode"] == "elastic":
        found.append(".performance_mode: elastic throughput needs generalPurpose")
    targets = given["mount_targets"]
    found += access_problems(".mount_targets.", targets)
    if len(targets["security_groups"] or ()) > 5:
        found.append(".mount_targets.security_groups: at most 5")
    return found


def _file_system(name: str, given: dict, stack) -> FileSystem:
    key = f"efs/file_system/{name}"
    token = f"{stack.id}/{key}"
    if len(token) > 64:  # the most that AWS takes
        token = hashlib.sha256(token.encode()).hexdigest()
    statements = [*(TLS_ONLY if given["tls_only"] else ()),
                  *stack.filled(given["policy_statements"])]
    return FileSystem(
        key=key, creation_token=token, tags=dict(given["tags"]), encrypted=given["encrypted"],
        kms_key=stack.kms_key(given["kms_key"]) if given["kms_key"] else None,
        performance_mode=given["performance_mode"], throughput_mode=given["throughput_mode"],
        provisioned_throughput_in_mibps=given["provisioned_throughput_in_mibps"],
        lifecycle_policies=_lifecycle(given["lifecycle"]), backup_policy=given["backup_policy"],
        policy=document(statements), deletion_protection=given["deletion_protection"])


def _lifecycle(given: dict) -> list[dict]:
    """One policy for each transition, as the API wants them."""
    names = {"transition_to_ia": "TransitionToIA",
             "transition_to_archive": "TransitionToArchive",
             "transition_to_primary_storage_class": "TransitionToPrimaryStorageClass"}
    return [{name: given[option]} for option, name in names.items() if given[option]]


def _subnets(path: str, given: dict, stack, problems: list) -> dict:
    """Name in the network -> subnet; by default all private ones."""
    prefix = "network/subnet/"
    if given["subnets"] is None:
        found = {r.key.removeprefix(prefix): r for r in stack.use_all(Subnet, f"{prefix}private-")}
        if "private-*" in found and "network" not in stack.options:  # how many is not known
            problems.append(f"{path}: without the component network, name the subnets, such as "
                            "[private-a, private-b]")
    else:
        found = {name: stack.use(Subnet, prefix + name) for name in given["subnets"]}
    zones = [zone_letter(name) for name in found]
    if len({*zones}) < len(zones):
        problems.append(f"{path}: {', '.join(found)}: one subnet for each zone")
    return found


def _access_point(name: str, given: dict, file_system: FileSystem) -> AccessPoint:
    user, root = given["posix_user"], given["root_directory"]
    return AccessPoint(
        key=f"efs/access_point/{name}", file_system=file_system, tags=dict(given["tags"]),
        posix_user=user and as_aws(user), root_directory=root and as_aws(root))
