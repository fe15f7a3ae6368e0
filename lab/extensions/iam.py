"""IAM: what it refuses and moto lets pass. Sources: the Errors of each operation,
IAM/latest/UserGuide/reference_iam-quotas.html."""

import json

from lab import quotas
from lab.errors import Refusal
from lab.registry import after, amend, guard, handler

# Characters without white space. Source: reference_iam-quotas.html
SIZES = {"trust": 2048, "managed": 6144, "inline": 10240}


def malformed(text):
    return Refusal("MalformedPolicyDocument", text)


def parsed(text):
    try:
        document = json.loads(text)
    except ValueError as error:
        raise malformed("Syntax errors in policy.") from error
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not statements:
        raise malformed("Missing required field Statement")
    return statements if isinstance(statements, list) else [statements]


def check_size(text, kind, code="LimitExceeded"):
    limit = SIZES[kind]
    if len("".join(text.split())) > limit:
        raise Refusal(code, f"Cannot exceed quota for PolicySize: {limit}")


@guard("iam", "CreateRole")
def check_trust_of_new(call):
    check_trust(call, call.params["AssumeRolePolicyDocument"])


@guard("iam", "UpdateAssumeRolePolicy")
def check_trust_of_old(call):
    check_trust(call, call.params["PolicyDocument"])


def check_trust(call, text):
    check_size(text, "trust")
    for statement in parsed(text):
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise malformed("Missing required field Effect")
        if not statement.get("Principal"):
            raise malformed("AssumeRole policy must contain principals")
        if not statement.get("Action"):
            raise malformed("Missing required field Action")
        if "Resource" in statement:
            raise malformed("Has prohibited field Resource")
        for arn in principals(statement):
            check_principal(call, arn)


def principals(statement):
    principal = statement["Principal"]
    rows = principal.get("AWS", []) if isinstance(principal, dict) else []
    return rows if isinstance(rows, list) else [rows]


def check_principal(call, arn):
    """A role or user of this account must exist to be trusted."""
    backend = call.backend("iam")
    mine = f"arn:aws:iam::{call.account}:"
    if arn.startswith(mine + "role/") and not any(
            role.arn == arn for role in backend.roles.values()):
        raise malformed(f'Invalid principal in policy: "AWS":"{arn}"')


@guard("iam", "CreateRole", "PutRolePermissionsBoundary")
def check_boundary(call):
    arn = call.params.get("PermissionsBoundary")
    if arn and arn not in call.backend("iam").managed_policies:
        raise Refusal("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)


@guard("iam", "CreateRole")
def limit_roles(call):
    quotas.check(call, "iam_roles", len(call.backend("iam").roles))


@after("iam", "CreateRole")
def mark_role(call):
    """Other services know a role only a while later (setting role_delay_ms)."""
    role = call.backend("iam").get_role(call.params["RoleName"])
    call.lab.marks["role", role.arn] = call.now


@guard("iam", "AttachRolePolicy")
def limit_attachments(call):
    role = call.backend("iam").get_role(call.params["RoleName"])
    if call.params["PolicyArn"] not in {policy.arn for policy in role.managed_policies.values()}:
        quotas.check(call, "iam_attachments", len(role.managed_policies))


@guard("iam", "CreatePolicy")
def unique_policy(call):
    """Policy names are unique in the account, whatever their path."""
    name = call.params["PolicyName"]
    check_size(call.params["PolicyDocument"], "managed")
    for policy in call.backend("iam").managed_policies.values():
        if policy.name == name and f"::{call.account}:" in policy.arn:
            raise Refusal("EntityAlreadyExists", f"A policy called {name} already exists. "
                          "Duplicate names are not allowed.", 409)


@guard("iam", "CreatePolicyVersion")
def size_of_version(call):
    check_size(call.params["PolicyDocument"], "managed")


@guard("iam", "PutRolePolicy")
def size_of_inline(call):
    role = call.backend("iam").get_role(call.params["RoleName"])
    others = [text for name, text in role.policies.items() if name != call.params["PolicyName"]]
    check_size("".join([*others, call.params["PolicyDocument"]]), "inline")


@guard("iam", "DeletePolicy")
def policy_in_use(call):
    backend, arn = call.backend("iam"), call.params["PolicyArn"]
    policy = backend.managed_policies.get(arn)
    if policy is None:
        return
    holders = (*backend.roles.values(), *backend.users.values(), *backend.groups.values())
    if any(attached(holder, arn) for holder in holders):
        raise conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise conflict("This policy has more than one version. Before you delete a policy, you "
                       "must delete the policy's versions. The default version is deleted with "
                       "the policy.")


def attached(holder, arn):
    boundary = getattr(holder, "permissions_boundary_arn", None)
    return boundary == arn or arn in {policy.arn for policy in holder.managed_policies.values()}


@after("iam", "AttachRolePolicy")
def count_once(call):
    """moto counts a second attachment of the same policy to the same role."""
    backend, arn = call.backend("iam"), call.params["PolicyArn"]
    backend.managed_policies[arn].attachment_count = sum(
        arn in {policy.arn for policy in role.managed_policies.values()}
        for role in backend.roles.values())


def conflict(text):
    return Refusal("DeleteConflict", text, 409)


TAGGING = ("TagRole", "TagPolicy", "TagInstanceProfile", "TagOpenIDConnectProvider", "CreateRole",
           "CreatePolicy", "CreateInstanceProfile", "CreateOpenIDConnectProvider")


@guard("iam", *TAGGING)
def check_tags(call):
    keys = [tag["Key"] for tag in call.params.get("Tags") or []]
    if any(key.lower().startswith("aws:") for key in keys):
        raise Refusal("InvalidInput", "Caller is not allowed to modify system tags.")
    if len({key.lower() for key in keys}) != len(keys):
        raise Refusal("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are "
                      "case insensitive.")
    if len(keys) > 50:
        raise Refusal("LimitExceeded", "The number of tags has reached the maximum limit.", 409)


# ---- listings show less than descriptions -----------------------------------------------------
# "IAM resource-listing operations return a subset of the available attributes": API_ListRoles.

LISTED = {"ListRoles": ("Roles", ("Tags", "PermissionsBoundary", "RoleLastUsed")),
          "ListPolicies": ("Policies", ("Tags",)),
          "ListInstanceProfiles": ("InstanceProfiles", ("Tags",))}


@amend("iam", *LISTED)
def shorten(call, result):
    items, hidden = LISTED[call.operation]
    for row in result.get(items) or []:
        for name in hidden:
            row.pop(name, None)


DETAILS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


@amend("iam", "GetAccountAuthorizationDetails")
def pages(call, result):
    """moto answers one endless page, in any order, policies without their names, and roles
    without their instance profiles, whose tags IAM does not show here."""
    names = {p.arn: p for p in call.backend("iam").managed_policies.values()}
    for row in result.get("RoleDetailList") or []:
        row["InstanceProfileList"] = profiles_of(call, row)
    for row in result.get("Policies") or []:
        row.update(PolicyName=names[row["Arn"]].name, PolicyId=names[row["Arn"]].id)
    result["Policies"] = sorted(result.get("Policies") or [], key=lambda row: row["Arn"])
    rows = [(name, row) for name in DETAILS for row in result.get(name) or []]
    start = int(call.params.get("Marker") or 0)
    end = start + int(call.params.get("MaxItems") or 100)
    for name in DETAILS:
        result[name] = [row for kind, row in rows[start:end] if kind == name]
    result["IsTruncated"] = end < len(rows)
    result.pop("Marker", None)
    if result["IsTruncated"]:
        result["Marker"] = str(end)


def profiles_of(call, role):
    """The instance profiles of a row of RoleDetailList."""
    shown = ("RoleName", "RoleId", "Arn", "Path", "CreateDate", "AssumeRolePolicyDocument")
    return [{"InstanceProfileName": item.name, "InstanceProfileId": item.id, "Arn": item.arn,
             "Path": item.path, "CreateDate": item.create_date,
             "Roles": [{name: role[name] for name in shown if name in role}]}
            for item in call.backend("iam").instance_profiles.values()
            if role["RoleName"] in {held.name for held in item.roles}]


# ---- OIDC providers ---------------------------------------------------------------------------

def provider(call):
    arn = call.params["OpenIDConnectProviderArn"]
    found = call.backend("iam").open_id_providers.get(arn)
    if found is None:
        raise Refusal("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}", 404)
    return found


@handler("iam", "AddClientIDToOpenIDConnectProvider")
def add_client(call):
    """API_AddClientIDToOpenIDConnectProvider"""
    clients = provider(call).client_id_list
    if call.params["ClientID"] not in clients:
        clients.append(call.params["ClientID"])
    return {}


@handler("iam", "RemoveClientIDFromOpenIDConnectProvider")
def remove_client(call):
    """API_RemoveClientIDFromOpenIDConnectProvider"""
    clients = provider(call).client_id_list
    if call.params["ClientID"] in clients:
        clients.remove(call.params["ClientID"])
    return {}


@guard("iam", "CreateOpenIDConnectProvider")
def check_provider(call):
    if not call.params["Url"].startswith("https://"):
        raise Refusal("ValidationError", "Invalid Open ID Connect Provider URL")
