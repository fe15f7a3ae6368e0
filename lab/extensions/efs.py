"""EFS: states, backup policy, client tokens and refusals that moto lacks. Source: the EFS API
reference, page of each operation."""

import json

from lab import kit, quotas
from lab.errors import Refusal
from lab.registry import amend, guard, handler


def file_system(call):
    found = call.backend("efs").file_systems_by_id.get(call.params["FileSystemId"])
    if found is None:
        raise Refusal("FileSystemNotFound",
                      f"File system '{call.params['FileSystemId']}' does not exist.")
    return found


def need_available(found):
    if found.life_cycle_state not in ("available", "updating"):
        raise Refusal("IncorrectFileSystemLifeCycleState", f"The file system "
                      f"{found.file_system_id} is in the state {found.life_cycle_state}", 409)


@guard("efs", "DescribeFileSystemPolicy", "DescribeLifecycleConfiguration",
       "DescribeMountTargets")
def known(call):
    if call.params.get("FileSystemId"):
        file_system(call)


@guard("efs", "CreateFileSystem")
def check_file_system(call):
    backend, asked = call.backend("efs"), call.params
    for other in backend.file_systems_by_id.values():
        if other.creation_token == asked["CreationToken"]:
            raise Refusal("FileSystemAlreadyExists", "File system already exists with creation "
                          f"token {asked['CreationToken']}", FileSystemId=other.file_system_id,
                          ErrorCode="FileSystemAlreadyExists")
    quotas.check(call, "efs_file_systems", len(backend.file_systems_by_id))
    if asked.get("KmsKeyId"):
        kit.need_key(call, asked["KmsKeyId"], Refusal("BadRequest", "The KMS key does not exist"))
    mode = asked.get("ThroughputMode")
    if (mode == "provisioned") != bool(asked.get("ProvisionedThroughputInMibps")):
        raise Refusal("BadRequest", "ProvisionedThroughputInMibps goes with ThroughputMode "
                      "provisioned")
    if asked.get("PerformanceMode") == "maxIO" and mode == "elastic":
        raise Refusal("BadRequest", "Elastic throughput is not supported for maxIO")
    check_tags(asked.get("Tags") or [])


@guard("efs", "TagResource", "CreateAccessPoint")
def check_tags_asked(call):
    check_tags(call.params.get("Tags") or [])


def check_tags(tags):
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise Refusal("BadRequest", "Tag keys starting with aws: are reserved")


@amend("efs", "CreateFileSystem")
def creating(call, result):
    found = call.backend("efs").file_systems_by_id[result["FileSystemId"]]
    found.life_cycle_state = result["LifeCycleState"] = "creating"
    call.lab.later("efs.file_system.create", lambda: available(found, "creating"))


def available(found, state):
    if found.life_cycle_state == state:
        found.life_cycle_state = "available"


@handler("efs", "DeleteFileSystem")
def delete_file_system(call):
    backend, found = call.backend("efs"), file_system(call)
    if found.number_of_mount_targets:
        raise Refusal("FileSystemInUse", "Cannot delete file system: it has mount targets", 409)
    found.life_cycle_state = "deleting"

    def gone():
        if found.file_system_id in backend.file_systems_by_id:
            backend.delete_file_system(found.file_system_id)
        for key, point in list(backend.access_points.items()):
            if point.file_system_id == found.file_system_id:
                del backend.access_points[key]

    call.lab.later("efs.file_system.delete", gone)
    return {}


@handler("efs", "UpdateFileSystem")
def update_file_system(call):
    found, asked = file_system(call), call.params
    need_available(found)
    mode = asked.get("ThroughputMode")
    if mode:
        found.throughput_mode = mode
    if asked.get("ProvisionedThroughputInMibps") is not None:
        found.provisioned_throughput_in_mibps = asked["ProvisionedThroughputInMibps"]
    return found.info_json()


@guard("efs", "PutLifecycleConfiguration", "PutFileSystemPolicy", "CreateAccessPoint")
def only_available(call):
    need_available(file_system(call))


# ---- backup and file system policies -----------------------------------------------------------

@handler("efs", "PutBackupPolicy")
def put_backup(call):
    found = file_system(call)
    need_available(found)
    found.lab_backup = call.params["BackupPolicy"]["Status"]
    return {"BackupPolicy": {"Status": found.lab_backup}}


@handler("efs", "DescribeBackupPolicy")
def describe_backup(call):
    found = file_system(call)
    status = getattr(found, "lab_backup", "ENABLED" if found._backup else None)
    if status is None:
        raise Refusal("PolicyNotFound", "None", 404)
    return {"BackupPolicy": {"Status": status}}


@guard("efs", "PutFileSystemPolicy")
def check_policy(call):
    try:
        statements = json.loads(call.params["Policy"]).get("Statement")
    except ValueError:
        statements = None
    if not statements:
        raise Refusal("InvalidPolicyException", "The file system policy is invalid", 400)


@handler("efs", "DeleteFileSystemPolicy")
def delete_policy(call):
    file_system(call).file_system_policy = None
    return {}


# ---- mount targets and access points -----------------------------------------------------------

@guard("efs", "CreateMountTarget")
def check_mount_target(call):
    need_available(file_system(call))
    if len(call.params.get("SecurityGroups") or []) > 5:
        raise Refusal("SecurityGroupLimitExceeded", "A mount target has at most 5 security groups")


@amend("efs", "CreateMountTarget")
def target_creating(call, result):
    found = call.backend("efs").mount_targets_by_id[result["MountTargetId"]]
    found.life_cycle_state = result["LifeCycleState"] = "creating"
    call.lab.later("efs.mount_target.create", lambda: available(found, "creating"))


@handler("efs", "DeleteMountTarget")
def delete_mount_target(call):
    backend, key = call.backend("efs"), call.params["MountTargetId"]
    found = backend.mount_targets_by_id.get(key)
    if found is None:
        raise Refusal("MountTargetNotFound", f"Mount target '{key}' does not exist.", 404)
    found.life_cycle_state = "deleting"

    def gone():
        if key in backend.mount_targets_by_id:
            backend.delete_mount_target(key)

    call.lab.later("efs.mount_target.delete", gone)
    return {}


@guard("efs", "CreateAccessPoint")
def check_access_point(call):
    """The same token is a conflict that names the access point. Source: API_CreateAccessPoint."""
    for key, point in call.backend("efs").access_points.items():
        if point.client_token == call.params["ClientToken"]:
            raise Refusal("AccessPointAlreadyExists", "Access point already exists", 409,
                          AccessPointId=key, ErrorCode="AccessPointAlreadyExists")
