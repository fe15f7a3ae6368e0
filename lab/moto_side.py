"""The only way into moto: its URL tables and its backends."""

import copy
import copyreg
import functools
import os
import re
import threading
import warnings

import moto.backends
from moto.s3.models import s3_backends
from moto import backend_index, settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.core.exceptions import HTTPException, ServiceException
from moto.core.model_instances import reset_model_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

from lab import moto_speed
from lab.errors import Refusal
from lab.wire import Answer, serialize

moto_speed.install()

# Roles attach AWS's own policies: let moto know them.
settings.default_user_config["iam"]["load_aws_managed_policies"] = True

_read_policies = IAMBackend._init_aws_policies


@functools.cache
def _policies_of(account, region):
    sample = IAMBackend.__new__(IAMBackend)
    sample.account_id, sample.region_name = account, region
    return _read_policies(sample)


def _own_policies(backend):
    """1,500 policies are read once a process, not once an account."""
    mine = [copy.copy(policy) for policy in _policies_of("000000000000", "aws")]
    for policy in mine:
        policy.account_id = backend.account_id
    return mine


IAMBackend._init_aws_policies = _own_policies
AWSManagedPolicy.__deepcopy__ = lambda policy, _memo: copy.copy(policy)

# Thousands of AMIs of moto's own that nothing here asks for; nodes have those of the lab.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# moto's package where it differs from botocore's service name without hyphens.
PACKAGES = {"lambda": "awslambda", "resourcegroupstaggingapi": "resourcegroupstaggingapi"}
GLOBAL_SERVICES = {"iam", "s3", "sts", "cloudfront", "route53"}


def backend(service, account, region):
    name = PACKAGES.get(service, service.replace("-", ""))
    key = "aws" if service in GLOBAL_SERVICES else region
    return moto.backends.get_backend(name)[account][key]


@functools.cache
def _routes(package):
    """moto's own (pattern, function) table of one service."""
    backends = moto.backends.get_backend(package)
    if not isinstance(backends, BackendDict):
        return []
    account = backends[DEFAULT_ACCOUNT_ID]
    sample = account["us-east-1"] if "us-east-1" in account else account["aws"]
    return [(re.compile(pattern), function) for pattern, function in sample.urls.items()]


@functools.cache
def _package(host):
    for package, pattern in backend_index.backend_url_patterns:
        if pattern.match(f"https://{host}/") or pattern.match(f"https://{host}"):
            return package
    return None


def _function(request):
    package = _package(request.host)
    url = request.raw_url.split("?", 1)[0]
    for pattern, function in _routes(package) if package else []:
        if pattern.match(url):
            return function
    return None


def run(call):
    """Let moto answer the call, in the caller's account."""
    request = call.request
    request.environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.account
    function = _function(request)
    if function is None:
        return missing(call)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status, headers, body = function(request, request.raw_url, request.headers)
    except ServiceException as error:
        return serialize(call, error)
    except HTTPException as error:
        status, headers, body = error.code, dict(error.get_headers()), error.get_body()
    except NotImplementedError as error:
        if str(error).startswith("The filter"):
            call.lab.missing.append(f"{call.name}: {error}")
            return serialize(call, Refusal("InvalidParameterValue", f"{error} is invalid"))
        return missing(call)
    return Answer(int(status), {k: str(v) for k, v in dict(headers).items()},
                  body.encode() if isinstance(body, str) else (body or b""))


def missing(call):
    """What neither moto nor an extension knows: no 5xx that a client would retry."""
    call.lab.missing.append(call.name)
    status = 400 if call.model.service_model.protocol in ("query", "ec2") else 501
    return serialize(call, Refusal(
        "InvalidAction", f"The action {call.name} is not valid in the lab", status))


# Queues, registries and workflows of moto have locks of their own: a copy gets another.
copyreg.pickle(type(threading.RLock()), lambda _lock: (threading.RLock, ()))


def objects():
    """Everything there is: the accounts of each service, and who has which bucket."""
    services = [*BackendDict._instances]
    return services, [dict(service) for service in services], dict(s3_backends.bucket_accounts)


def restore(services, accounts, buckets):
    """Have these objects, as `objects` gave them, after a reset."""
    for service, its_accounts in zip(services, accounts):
        service.update(its_accounts)
    BackendDict._instances.extend(services)
    s3_backends.bucket_accounts.update(buckets)


def reset():
    """Forget everything. BackendDict.reset would first make every backend anew."""
    for instances in BackendDict._instances:
        instances.clear()
    BackendDict._instances.clear()
    s3_backends.bucket_accounts.clear()  # bucket names are global, so moto keeps them apart
    reset_model_data()
