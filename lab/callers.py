"""Callers beyond the account's own: IAM users with access keys, and assumed roles."""

from dataclasses import dataclass

import moto.backends


@dataclass(frozen=True)
class Caller:
    account: str
    arn: str            # as API_GetCallerIdentity tells it
    user_id: str
    principal: str      # the IAM user or role behind it, with its path
    session: str = ""   # of an assumed role
    secret: str = ""    # the secret key, where the lab knows it: then signatures can be checked


def find(access_key):
    """The caller whom IAM or STS gave this access key, or None."""
    for account, where, sts in list(moto.backends.get_backend("sts").iter_backends()):
        role = sts.get_assumed_role_from_access_key(access_key) if where == "aws" else None
        if role:
            return Caller(account, role.arn, role.user_id, role.role_arn, role.session_name,
                          role.secret_access_key)
    for account, where, iam in list(moto.backends.get_backend("iam").iter_backends()):
        key = iam.access_keys.get(access_key) if where == "aws" else None
        if key is not None and key.user_name and key.status == "Active":
            user = iam.get_user(key.user_name)
            return Caller(account, user.arn, user.id, user.arn, secret=key.secret_access_key)
    return None
