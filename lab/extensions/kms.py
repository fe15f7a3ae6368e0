"""KMS: rotation periods, and what it refuses. Sources: the Errors of each operation and
kms/latest/developerguide/key-state.html."""

import json

from lab.errors import Refusal
from lab.extensions.iam import check_principal, principals
from lab.registry import amend, guard

# Operations that a key which waits for its deletion refuses (key-state.html).
NOT_WHILE_PENDING = ("EnableKeyRotation", "DisableKeyRotation", "UpdateKeyDescription",
                     "TagResource", "UntagResource", "ScheduleKeyDeletion", "EnableKey",
                     "GetKeyRotationStatus", "Encrypt", "GenerateDataKey")


def key_of(call, name="KeyId"):
    backend, given = call.backend("kms"), call.params.get(name)
    try:
        return backend.keys.get(backend.any_id_to_key_id(given))
    except KeyError:
        return None


def refuse_pending(key):
    if key is not None and key.key_state == "PendingDeletion":
        raise Refusal("KMSInvalidStateException", f"{key.arn} is pending deletion.")


@guard("kms", *NOT_WHILE_PENDING)
def check_state(call):
    refuse_pending(key_of(call))


@guard("kms", "CreateAlias", "UpdateAlias")
def check_target(call):
    refuse_pending(key_of(call, "TargetKeyId"))


@guard("kms", "CreateAlias")
def check_alias(call):
    if call.params["AliasName"].startswith("alias/aws/"):
        raise Refusal("NotAuthorizedException", "alias/aws/ is reserved")


@guard("kms", "EnableKeyRotation", "GetKeyRotationStatus")
def check_symmetric(call):
    key = key_of(call)
    if key is not None and key.key_spec != "SYMMETRIC_DEFAULT":
        raise Refusal("UnsupportedOperationException",
                      f"You cannot perform {call.operation} on an asymmetric or HMAC key.")


@guard("kms", "EnableKeyRotation")
def note_period(call):
    """The period is that of the last call, 365 days by default."""
    key = key_of(call)
    if key is not None:
        key.rotation_period = call.params.get("RotationPeriodInDays") or 365


@amend("kms", "GetKeyRotationStatus")
def show_period(call, result):
    key = key_of(call)
    result["KeyId"] = key.arn
    if result.get("KeyRotationEnabled"):
        result["RotationPeriodInDays"] = getattr(key, "rotation_period", 365)


@guard("kms", "CreateKey", "PutKeyPolicy")
def check_policy(call):
    """API_CreateKey, Policy: principals must exist, and somebody must stay able to change it."""
    text = call.params.get("Policy")
    if not text:
        return
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal("MalformedPolicyDocumentException", "Invalid policy document") from error
    rows = statements if isinstance(statements, list) else [statements]
    for statement in rows:
        if not isinstance(statement.get("Principal"), (dict, str)):
            raise Refusal("MalformedPolicyDocumentException",
                          "A statement of a key policy needs a principal")
        for arn in principals(statement):
            known_principal(call, arn)
    keep = any(s.get("Effect") == "Allow" and {"kms:*", "kms:PutKeyPolicy", "*"} & actions(s)
               for s in rows)
    if not keep and not call.params.get("BypassPolicyLockoutSafetyCheck"):
        raise Refusal("MalformedPolicyDocumentException", "The new key policy will not allow you "
                      "to update the key policy in the future.")


def actions(statement):
    found = statement.get("Action", [])
    return set(found) if isinstance(found, list) else {found}


def known_principal(call, arn):
    try:
        check_principal(call, arn)
    except Refusal:
        raise Refusal("MalformedPolicyDocumentException", "Policy contains a statement with one "
                      "or more invalid principals.") from None


@guard("kms", "ScheduleKeyDeletion")
def check_window(call):
    if not 7 <= call.params.get("PendingWindowInDays", 30) <= 30:
        raise Refusal("ValidationException", "PendingWindowInDays must be from 7 to 30")


@guard("kms", "GetKeyPolicy", "PutKeyPolicy")
def default_policy_name(call):
    """The only name is "default", and it need not be given; moto needs it."""
    if call.params.setdefault("PolicyName", "default") != "default":
        raise Refusal("NotFoundException", "No such policy exists")
    call.replace_body(json.dumps({**json.loads(call.request.get_data()),
                                  "PolicyName": "default"}).encode())
