"""KMS: reserved aliases, policies, and keys that wait for their deletion. Source: the KMS API
reference, developerguide/key-state.html."""

import json

from lab.errors import Refusal
from lab.registry import guard

# Operations that a key in PendingDeletion refuses. Source: key-state.html
NEED_LIVING = ("EnableKeyRotation", "DisableKeyRotation", "CreateAlias", "TagResource",
               "UntagResource", "UpdateKeyDescription", "ScheduleKeyDeletion", "EnableKey",
               "DisableKey", "Encrypt", "Decrypt", "GenerateDataKey")


def key_of(call):
    backend = call.backend("kms")
    name = call.params.get("KeyId") or call.params.get("TargetKeyId") or ""
    return backend.keys.get(name.split("/")[-1])


@guard("kms", *NEED_LIVING)
def living(call):
    key = key_of(call)
    if key is not None and key.key_state == "PendingDeletion":
        raise Refusal("KMSInvalidStateException", f"{key.arn} is pending deletion.")


@guard("kms", "CreateAlias", "DeleteAlias", "UpdateAlias")
def own_alias(call):
    if call.params["AliasName"].startswith("alias/aws/"):
        raise Refusal("NotAuthorizedException", "The alias is reserved for AWS", 400)


@guard("kms", "ScheduleKeyDeletion")
def window(call):
    days = call.params.get("PendingWindowInDays", 30)
    if not 7 <= days <= 30:
        raise Refusal("ValidationException", "PendingWindowInDays must be from 7 to 30")


@guard("kms", "GetKeyPolicy", "PutKeyPolicy")
def policy_name(call):
    """The only name is "default", and it need not be given; moto needs it."""
    if call.params.setdefault("PolicyName", "default") != "default":
        raise Refusal("NotFoundException", "No such policy exists")
    document = json.loads(call.request.get_data())
    if "PolicyName" not in document:
        document["PolicyName"] = "default"
        body = json.dumps(document).encode()
        call.replace_body(body)


@guard("kms", "CreateKey", "PutKeyPolicy")
def check_policy(call):
    text = call.params.get("Policy")
    if text is None:
        return
    try:
        statements = json.loads(text).get("Statement")
    except ValueError:
        statements = None
    if not statements:
        raise Refusal("MalformedPolicyDocumentException", "Policy contains invalid JSON or no "
                      "statement")
    if call.params.get("BypassPolicyLockoutSafetyCheck"):
        return
    # The caller must be able to change the policy later. Source: API_PutKeyPolicy.
    root, granted = f"arn:aws:iam::{call.account}:root", False
    for row in statements if isinstance(statements, list) else [statements]:
        actions = row.get("Action", [])
        actions = actions if isinstance(actions, list) else [actions]
        principal = json.dumps(row.get("Principal", ""))
        if row.get("Effect") == "Allow" and {"kms:*", "kms:PutKeyPolicy", "*"} & set(actions):
            granted = granted or root in principal or call.account in principal
    if not granted:
        raise Refusal("MalformedPolicyDocumentException", "The new key policy will not allow you "
                      "to update the key policy in the future.")


@guard("kms", "CreateKey", "TagResource")
def check_tags(call):
    if any(tag["TagKey"].lower().startswith("aws:") for tag in call.params.get("Tags") or []):
        raise Refusal("TagException", "Tag keys starting with aws: are reserved")
