"""STS: the caller is the account that the access key names."""

from lab.accounts import caller_arn
from lab.registry import handler


@handler("sts", "GetCallerIdentity")
def get_caller_identity(call):
    """API_GetCallerIdentity"""
    return {"Account": call.account, "Arn": caller_arn(call.account),
            "UserId": f"AIDALAB0{call.account}"}
