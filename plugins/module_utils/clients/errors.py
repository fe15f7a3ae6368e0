# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS error codes -> the engine's kinds of failure, as one table."""
from __future__ import annotations

import re

try:
    from botocore import exceptions as boto
except ImportError:  # run.py reports the missing library
    boto = None

from ..engine import errors

# First match wins. Codes are listed in each service's API reference under "Common Errors" and
# per operation; https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
CODES = (
    (errors.Credentials, r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|AuthFailure"
                         r"|SignatureDoesNotMatch|RequestExpired|InvalidAccessKeyId|"
                         r"IncompleteSignature|MissingAuthenticationToken"),
    (errors.Throttled, r"Throttl|RequestLimitExceeded|TooManyRequests|SlowDown|BandwidthLimit"
                       r"|ProvisionedThroughputExceeded|RequestRateExceeded|^LimitExceeded\.Rate"),
    (errors.Denied, r"AccessDenied|UnauthorizedOperation|NotAuthorized|^Forbidden$|^403$"),
    (errors.Exists, r"AlreadyExists|AlreadyExist|AlreadyOwnedByYou|\.Duplicate|Duplicate[A-Z]"
                    r"|ResourceExistsException|AlreadyAssociated|Conflicting|MountTargetConflict"
                    r"|QueueNameExists|BucketAlreadyExists|InvalidSubnet\.Conflict"),
    (errors.Quota, r"LimitExceeded|QuotaExceeded|ServiceQuota|InsufficientAddress|TooMany"),
    (errors.NotFound, r"NotFound|NoSuch|NonExistent|DoesNotExist|InvalidVpcPeering|^404$"
                      r"|Unknown(Permission|Queue)|^InvalidAssociationID|Malformed$"),
    (errors.Busy, r"DependencyViolation|ResourceInUse|InUse|DeleteConflict|Invalid\w*State"
                  r"|OperationAborted|ConcurrentModification|PriorRequestNotComplete"
                  r"|IncorrectState|IncorrectInstance|ScalingActivityInProgress"
                  r"|Gateway\.NotAttached|ResourceConflict|IncorrectFileSystemLifeCycleState"
                  r"|OperationInProgress"
                  r"|QueueDeletedRecently|MountTargetsExist|DependentResource"),
    (errors.Ambiguous, r"^5\d\d$|InternalError|InternalFailure|InternalServer|ServiceUnavailable"
                       r"|ServerException|ServiceException|ServiceFailure|RequestTimeout"
                       r"|^Unavailable$"),
)
# Texts that decide where services share one code between several kinds of failure.
TEXTS = (
    (errors.Exists, r"ResourceInUse\w* .*already exists|InvalidRequestException .*already exists"),
    (errors.NotFound, r"ClientException No cluster found|ValidationError .*does not exist"),
    (errors.Busy, r"in progress|InvalidRequestException .*scheduled for deletion"
                  r"|AuthFailure .*network interface"),
)

# What to do about credentials that are not there or not accepted.
ADVICE = "; log in, or name another profile with AWS_PROFILE or aws_profile"


class WriteRefused(errors.Failure):
    """A write was tried where only reads are allowed: an error of this collection."""


def failure(code: str, text: str, operation: str, status: int = 0) -> errors.ServiceFailure:
    """The engine's failure for an answer of AWS."""
    kinds = [*(kind for kind, pattern in TEXTS if re.search(pattern, f"{code} {text}")),
             *(kind for kind, pattern in CODES if re.search(pattern, code)),
             errors.Ambiguous if status >= 500 else errors.ServiceFailure]
    return kinds[0](code, text + ADVICE if kinds[0] is errors.Credentials else text, operation)


def accepted(answer: dict, operation: str) -> dict:
    """The answer, unless it says of an object that nothing was done: such calls end with 200."""
    for failed in answer.get("Unsuccessful") or ():  # EC2
        if error := failed.get("Error"):
            raise failure(error.get("Code", ""), error.get("Message", ""), operation)
    for failed in answer.get("FailedEntries") or ():  # EventBridge
        raise failure(failed.get("ErrorCode", ""), failed.get("ErrorMessage", ""), operation)
    return answer


def translate(error: Exception, operation: str) -> errors.ServiceFailure:
    """The engine's failure for an exception of botocore, without any value that was sent."""
    name = type(error).__name__
    if isinstance(error, boto.ClientError):
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return failure(answer.get("Code", str(status)), answer.get("Message", ""), operation,
                       status)
    if isinstance(error, boto.ParamValidationError):
        text = re.sub(r"value: .*?, type:", "value: (hidden), type:", str(error), flags=re.S)
        return errors.ServiceFailure("ParamValidation", text, operation)
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError,
                          boto.CredentialRetrievalError, boto.TokenRetrievalError)):
        return errors.Credentials("NoCredentials", f"{error}{ADVICE}", operation)
    if isinstance(error, (boto.EndpointConnectionError, boto.ConnectTimeoutError,
                          boto.SSLError, boto.ProxyConnectionError)):
        return errors.Unreachable("Unreachable", str(error), operation)
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError, boto.ReadTimeoutError)):
        return errors.Ambiguous("NoAnswer", str(error), operation)
    return errors.ServiceFailure(name, str(error), operation)
