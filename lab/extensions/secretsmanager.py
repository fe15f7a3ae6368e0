"""Secrets Manager: what it refuses and moto lets pass. Sources: the Errors of each operation,
API_CreateSecret and API_DeleteSecret."""

from lab.errors import Refusal
from lab.kit import need_key
from lab.registry import guard


@guard("secretsmanager", "CreateSecret")
def check_name(call):
    """A name in its recovery window is taken."""
    secret = call.backend("secretsmanager").secrets.get(call.params["Name"])
    if secret is not None and getattr(secret, "deleted_date", None):
        raise Refusal("InvalidRequestException", "You can't create this secret because a secret "
                      "with this name is already scheduled for deletion.")


@guard("secretsmanager", "CreateSecret", "UpdateSecret")
def check_key(call):
    if call.params.get("KmsKeyId"):
        need_key(call, call.params["KmsKeyId"], Refusal(
            "InvalidParameterException", "The KMS key does not exist."))


@guard("secretsmanager", "DeleteSecret")
def check_window(call):
    asked = call.params
    if asked.get("ForceDeleteWithoutRecovery") and asked.get("RecoveryWindowInDays"):
        raise Refusal("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in "
                      "conjunction with RecoveryWindowInDays.")
    days = asked.get("RecoveryWindowInDays")
    if days is not None and not 7 <= days <= 30:
        raise Refusal("InvalidParameterException", "RecoveryWindowInDays value must be between 7 "
                      "and 30 days (inclusive).")


@guard("secretsmanager", "CreateSecret", "TagResource")
def check_tags(call):
    keys = [tag["Key"] for tag in call.params.get("Tags") or []]
    if any(key.lower().startswith("aws:") for key in keys) or len(keys) > 50:
        raise Refusal("InvalidParameterException", "Tags: up to 50, none beginning with aws:")
