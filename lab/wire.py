"""Between HTTP and calls: which service, which operation, which parameters, and back again."""

import functools
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from botocore.parsers import create_parser
from moto.core.errors import COMMON_ERROR_CODES
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import NotFound, get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from lab.errors import Refusal

# Services whose signing name is not their name in botocore (service-2.json, signingName).
SIGNING_NAMES = {
    "elasticfilesystem": "efs",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "es": "opensearch",
}
# Two services of one signing name, told apart by the version that a request names.
VERSIONS = {("elbv2", "2012-06-01"): "elb"}
GLOBAL_HOSTS = {"iam", "cloudfront", "route53"}
CREDENTIAL = re.compile(r"Credential=([^,\s]+)")


@dataclass
class Call:
    """One request, understood."""

    lab: object
    access_key: str
    region: str
    service: str
    operation: str
    model: OperationModel
    request: Request
    params: dict = field(default_factory=dict)
    account: str = ""
    caller: object = None

    @property
    def name(self):
        return f"{self.service}.{self.operation}"

    @property
    def store(self):
        return self.lab.store(self.account, self.region)

    def backend(self, service):
        return self.lab.moto.backend(service, self.account, self.region)

    def arn(self, service, resource):
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def replace_body(self, body):
        """Give moto another body than the caller sent."""
        old = self.request
        self.request = Request.from_primitives(old.method, old.raw_url, old.headers, body)

    @property
    def now(self):
        return self.lab.clock()


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes


def credential_scope(method, url, headers):
    """(access key, region, signing name) of a SigV4 request, signed in the header or the URL."""
    match = CREDENTIAL.search(headers.get("Authorization") or "")
    if match:
        scope = match.group(1)
    else:
        scope = parse_qs(urlsplit(url).query).get("X-Amz-Credential", [""])[0]
    parts = scope.split("/")
    if len(parts) != 5:
        return None
    return parts[0], parts[2], parts[3]


@functools.cache
def host_of(service, region):
    prefix = get_service_model(service).endpoint_prefix
    return f"{prefix}.amazonaws.com" if service in GLOBAL_HOSTS else (
        f"{prefix}.{region}.amazonaws.com")


def aws_url(url, service, region):
    """The address moto knows: requests to localhost are given the service's own host."""
    parts = urlsplit(url)
    if parts.netloc.endswith(".amazonaws.com") or parts.netloc.endswith(".api.aws"):
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"https://{host_of(service, region)}{parts.path or '/'}{query}"


def understand(lab, method, url, headers, body):
    """Parse a request into a Call; Refusal when it is none. Parameters come later."""
    scope = credential_scope(method, url, headers)
    if scope is None:
        raise LookupError("unsigned")
    access_key, region, signing = scope
    service = SIGNING_NAMES.get(signing.lower(), signing.lower())
    headers = {key: value for key, value in headers.items()
               if key.lower() not in ("host", "content-length")}
    request = Request.from_primitives(method, aws_url(url, service, region), headers, body)
    service = VERSIONS.get((service, request.values.get("Version")), service)
    try:
        operation, uri_params = get_service_router(service).match(request)
    except (NotFound, NotImplementedError):
        operation, uri_params = None, {}
    name = operation.name if operation else asked_for(request)
    model = operation or OperationModel({}, get_service_model(service))
    call = Call(lab, access_key, region, service, name, model, request)
    call.uri_params = uri_params
    return call


def asked_for(request):
    target = request.headers.get("X-Amz-Target", "").split(".")[-1]
    return request.values.get("Action") or target or f"{request.method} {request.path}"


def read_parameters(call):
    """Fill call.params from the request, by the service model."""
    request = call.request
    if "content-encoding" in request.headers and request.headers["content-encoding"] == "gzip":
        raise Refusal("InvalidRequest", "the lab does not read compressed requests")
    service_model = call.model.service_model
    protocol = determine_request_protocol(service_model, request.content_type)
    parser = PROTOCOL_PARSERS[protocol](call.model)
    call.params = parser.parse({
        "method": request.method, "values": request.values, "headers": request.headers,
        "body": request.get_data(), "url_path": request.path, "url_params": call.uri_params,
    })
    call.protocol = protocol


def serialize(call, result):
    """An answer (or an exception) in the wire form of the service."""
    model = call.model.service_model
    if isinstance(result, Exception) and result.code not in COMMON_ERROR_CODES:
        COMMON_ERROR_CODES.append(result.code)  # else moto warns where a model lacks the shape
    protocol = determine_request_protocol(model, call.request.content_type)
    serializer = get_serializer_class(model.service_name, protocol)(operation_model=call.model)
    answer = serializer.serialize(result)
    status = getattr(result, "status", None) or answer["status_code"]
    body = answer["body"]
    headers = {"x-amzn-RequestId": call.lab.new_request_id(), **answer["headers"]}
    return Answer(status, headers, body.encode() if isinstance(body, str) else body)


@functools.cache
def _answer_parser(service, operation):
    model = get_service_model(service)
    return create_parser(model.resolved_protocol), model.operation_model(operation).output_shape


def parse_answer(call, answer):
    """What a client would read from a successful answer."""
    parser, shape = _answer_parser(call.service, call.operation)
    if shape is None:
        return {}
    parsed = parser.parse({"body": answer.body, "headers": answer.headers,
                           "status_code": answer.status}, shape)
    parsed.pop("ResponseMetadata", None)
    return parsed
