"""EKS access entries and pod identity: API_CreateAccessEntry, API_AssociateAccessPolicy,
API_CreatePodIdentityAssociation and their kin."""

from lab import kit
from lab.extensions import eks_shared as eks
from lab.registry import handler

POLICY = "arn:aws:eks::aws:cluster-access-policy/"
# Source: userguide/access-policy-permissions.html
POLICIES = ["AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy",
            "AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSSecretReaderPolicy",
            "AmazonEKSAutoNodePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSComputePolicy",
            "AmazonEKSNetworkingPolicy", "AmazonEKSLoadBalancingPolicy"]
TYPES = ["STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX",
         "HYPERPOD_LINUX"]


def need_entries(cluster):
    if cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise eks.bad_request("The cluster's authentication mode must be set to one of [API, "
                              "API_AND_CONFIG_MAP] to perform this operation.")


def entry_of(call, cluster):
    arn = call.params["principalArn"]
    entry = call.store.table("eks.access_entry").get((cluster["name"], arn))
    if entry is None:
        raise eks.not_found("The specified principalArn could not be found. You can view your "
                            "available access entries with 'list-access-entries'.")
    return entry


def add_entry(call, cluster, arn, policies=(), **fields):
    """What CreateAccessEntry does, and what EKS itself does for the creator and for nodes."""
    name = cluster["name"]
    kind = arn.split(":")[5].split("/")[0]
    entry = {
        "clusterName": name, "principalArn": arn, "kubernetesGroups": [], "type": "STANDARD",
        "accessEntryArn": call.arn(
            "eks", f"access-entry/{name}/{kind}/{call.account}/{arn.split('/')[-1]}/"
            f"{kit.hex_id(8)}-{kit.hex_id(4)}-{kit.hex_id(12)}"),
        "createdAt": kit.now(call), "modifiedAt": kit.now(call), "tags": {}, "username": "",
        "_policies": {}, **fields}
    entry["username"] = entry["username"] or username_of(arn)
    for policy in policies:
        entry["_policies"][policy] = association(call, policy, {"type": "cluster",
                                                                "namespaces": []})
    call.store.table("eks.access_entry")[name, arn] = entry
    return entry


def username_of(arn):
    """Source: userguide/set-custom-username.html, the name that EKS gives by itself."""
    _arn, _aws, _iam, _region, account, resource = arn.split(":")
    if not resource.startswith("role/"):
        return arn
    return f"arn:aws:sts::{account}:assumed-role/{resource.split('/')[-1]}/{{{{SessionName}}}}"


def association(call, policy, scope):
    return {"policyArn": policy, "accessScope": scope, "associatedAt": kit.now(call),
            "modifiedAt": kit.now(call)}


@handler("eks", "CreateAccessEntry")
def create_entry(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    cluster, asked = eks.cluster_of(call), call.params
    arn, kind = asked["principalArn"], asked.get("type") or "STANDARD"
    need_entries(cluster)
    if (cluster["name"], arn) in call.store.table("eks.access_entry"):
        raise eks.in_use("The specified access entry resource is already in use on this cluster.")
    if not arn.startswith("arn:aws:iam::") or (
            ":role/" in arn and f"::{call.account}:" in arn and not kit.role_usable(call, arn)):
        raise eks.invalid("The specified principalArn is invalid: invalid principal.")
    if kind not in TYPES:
        raise eks.invalid(f"The specified type is invalid: {kind}")
    groups = asked.get("kubernetesGroups") or []
    if kind != "STANDARD" and (groups or asked.get("username")):
        raise eks.invalid(f"Access entries of type {kind} cannot have a username or groups.")
    check_groups(groups)
    eks.check_tags(asked.get("tags") or {})
    entry = add_entry(call, cluster, arn, kubernetesGroups=groups, type=kind,
                      username=asked.get("username") or "", tags=dict(asked.get("tags") or {}))
    kit.remember_request(call, "clientRequestToken", lambda: {"accessEntry": entry})
    return {"accessEntry": entry}


def check_groups(groups):
    for group in groups:
        if group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
            raise eks.invalid(f"The kubernetes group name {group} is invalid, it cannot start "
                              "with a reserved prefix")


@handler("eks", "DescribeAccessEntry")
def describe_entry(call):
    return {"accessEntry": entry_of(call, eks.cluster_of(call))}


@handler("eks", "ListAccessEntries")
def list_entries(call):
    cluster, wanted = eks.cluster_of(call), call.params.get("associatedPolicyArn")
    need_entries(cluster)
    arns = [arn for arn, entry in eks.members(call, "access_entry", cluster["name"]).items()
            if not wanted or wanted in entry["_policies"]]
    arns, token = kit.page(call, arns)
    return {"accessEntries": arns, "nextToken": token}


@handler("eks", "UpdateAccessEntry")
def update_entry(call):
    entry, asked = entry_of(call, eks.cluster_of(call)), call.params
    check_groups(asked.get("kubernetesGroups") or [])
    for key in ("kubernetesGroups", "username"):
        if asked.get(key) is not None:
            entry[key] = asked[key]
    entry["modifiedAt"] = kit.now(call)
    return {"accessEntry": entry}


@handler("eks", "DeleteAccessEntry")
def delete_entry(call):
    cluster = eks.cluster_of(call)
    entry_of(call, cluster)
    del call.store.table("eks.access_entry")[cluster["name"], call.params["principalArn"]]
    return {}


@handler("eks", "AssociateAccessPolicy")
def associate_policy(call):
    cluster, asked = eks.cluster_of(call), call.params
    entry, policy, scope = entry_of(call, cluster), asked["policyArn"], asked["accessScope"]
    if policy not in {POLICY + name for name in POLICIES}:
        raise eks.invalid(f"The policyArn parameter format is not valid: {policy}")
    if entry["type"] != "STANDARD":
        raise eks.bad_request(f"Policies cannot be associated with type {entry['type']}")
    named = bool(scope.get("namespaces"))
    if named != (scope.get("type") == "namespace"):
        raise eks.invalid("accessScope: namespaces are needed with type namespace, and only then")
    row = association(call, policy, {"type": scope["type"],
                                     "namespaces": scope.get("namespaces") or []})
    entry["_policies"][policy] = row
    return {"clusterName": cluster["name"], "principalArn": entry["principalArn"],
            "associatedAccessPolicy": row}


@handler("eks", "DisassociateAccessPolicy")
def disassociate_policy(call):
    entry, policy = entry_of(call, eks.cluster_of(call)), call.params["policyArn"]
    if entry["_policies"].pop(policy, None) is None:
        raise eks.not_found(f"No associated policy found for {policy}")
    return {}


@handler("eks", "ListAssociatedAccessPolicies")
def list_associated(call):
    cluster = eks.cluster_of(call)
    entry = entry_of(call, cluster)
    rows, token = kit.page(call, list(entry["_policies"].values()))
    return {"clusterName": cluster["name"], "principalArn": entry["principalArn"],
            "associatedAccessPolicies": rows, "nextToken": token}


@handler("eks", "ListAccessPolicies")
def list_policies(call):
    rows, token = kit.page(call, [{"name": name, "arn": POLICY + name} for name in POLICIES])
    return {"accessPolicies": rows, "nextToken": token}


# ---- pod identity ------------------------------------------------------------------------------

SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId",
           "ownerArn")


def associate(call, cluster, asked, owner=None):
    """One association of a role with a service account."""
    role = kit.role_usable(call, asked["roleArn"])
    if role is None:
        raise eks.invalid(f"Role provided in the request does not exist: {asked['roleArn']}")
    if not kit.trusts(role, "pods.eks.amazonaws.com"):
        raise eks.invalid("Trust policy of the role does not allow pods.eks.amazonaws.com to "
                          "assume it")
    table = call.store.table("eks.association")
    for (name, key), item in table.items():
        if (name, item["namespace"], item["serviceAccount"]) == (
                cluster["name"], asked["namespace"], asked["serviceAccount"]):
            raise eks.in_use(f"Association already exists: {key}")
    key = f"a-{kit.hex_id(17)}"
    item = {"clusterName": cluster["name"], "associationId": key, "ownerArn": owner,
            "associationArn": call.arn("eks", f"podidentityassociation/{cluster['name']}/{key}"),
            "createdAt": kit.now(call), "modifiedAt": kit.now(call),
            "disableSessionTags": asked.get("disableSessionTags", False),
            "targetRoleArn": asked.get("targetRoleArn"), "tags": dict(asked.get("tags") or {}),
            **{name: asked[name] for name in ("namespace", "serviceAccount", "roleArn")}}
    table[cluster["name"], key] = item
    return item


@handler("eks", "CreatePodIdentityAssociation")
def create_association(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    eks.check_tags(call.params.get("tags") or {})
    item = associate(call, eks.cluster_of(call), call.params)
    kit.remember_request(call, "clientRequestToken", lambda: {"association": item})
    return {"association": item}


def association_of(call):
    cluster, key = eks.cluster_of(call), call.params["associationId"]
    item = call.store.table("eks.association").get((cluster["name"], key))
    if item is None:
        raise eks.not_found(f"Association not found: {key}")
    return item


@handler("eks", "DescribePodIdentityAssociation")
def describe_association(call):
    return {"association": association_of(call)}


@handler("eks", "ListPodIdentityAssociations")
def list_associations(call):
    asked = call.params
    rows = [item for item in eks.members(
        call, "association", eks.cluster_of(call)["name"]).values()
        if all(not asked.get(key) or item[key] == asked[key]
               for key in ("namespace", "serviceAccount"))]
    rows, token = kit.page(call, rows)
    # API_PodIdentityAssociationSummary has neither role nor tags.
    return {"associations": [{name: row[name] for name in SUMMARY} for row in rows],
            "nextToken": token}


@handler("eks", "UpdatePodIdentityAssociation")
def update_association(call):
    item, asked = association_of(call), call.params
    if asked.get("roleArn"):
        role = kit.role_usable(call, asked["roleArn"])
        if role is None or not kit.trusts(role, "pods.eks.amazonaws.com"):
            raise eks.invalid(f"Role provided in the request does not exist: {asked['roleArn']}")
    for key in ("roleArn", "targetRoleArn", "disableSessionTags"):
        if asked.get(key) is not None:
            item[key] = asked[key]
    item["modifiedAt"] = kit.now(call)
    return {"association": item}


@handler("eks", "DeletePodIdentityAssociation")
def delete_association(call):
    item = association_of(call)
    del call.store.table("eks.association")[item["clusterName"], item["associationId"]]
    return {"association": item}
