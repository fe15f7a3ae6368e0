"""EKS tokens: a presigned STS GetCallerIdentity request that names its cluster.

Sources: userguide/cluster-auth.html; sigs.k8s.io/aws-iam-authenticator, README (API Authorization
from Outside a Cluster).
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
LIFE = timedelta(minutes=15)   # of a token, whatever its X-Amz-Expires says
SKEW = timedelta(minutes=5)
NEEDED = {"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date",
          "x-amz-expires", "x-amz-signature", "x-amz-signedheaders"}
ALLOWED = NEEDED | {"x-amz-security-token", "x-amz-user-agent"}
# The lab answers for STS on the loopback too.
HOSTS = re.compile(r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com|localhost|127\.0\.0\.1")


class TokenError(Exception):
    """Why a token is refused."""


@dataclass(frozen=True)
class Token:
    url: str
    query: dict

    @property
    def access_key(self):
        return self.query["x-amz-credential"].split("/")[0]

    def signed_by(self, secret, cluster):
        """Was it signed with this secret key, for this cluster?"""
        parts = urlsplit(self.url)
        _key, day, region, service, _end = self.query["x-amz-credential"].split("/")
        unsigned = "&".join(pair for pair in parts.query.split("&")
                            if not pair.lower().startswith("x-amz-signature="))
        request = AWSRequest("GET", f"{parts.scheme}://{parts.netloc}{parts.path}?{unsigned}",
                             headers={CLUSTER_HEADER: cluster})
        request.context["timestamp"] = self.query["x-amz-date"]
        signer = SigV4QueryAuth(Credentials(self.access_key, secret), service, region)
        if day != request.context["timestamp"][:8]:
            return False
        # The host is among the signed headers; the empty body has its own digest.
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return hmac.compare_digest(signer.signature(text, request),
                                   self.query["x-amz-signature"])


def read(text, now):
    """The Token in a bearer token at a time in seconds; TokenError where EKS refuses it."""
    if not text.startswith(PREFIX):
        raise TokenError(f"token is missing the prefix {PREFIX}")
    url = decoded(text.removeprefix(PREFIX))
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not HOSTS.fullmatch(parts.hostname or ""):
        raise TokenError(f"unexpected STS host {parts.hostname!r} in the presigned URL")
    pairs = [(name.lower(), value) for name, value in parse_qsl(parts.query, True)]
    query = dict(pairs)
    if parts.path not in ("", "/") or len(query) != len(pairs):
        raise TokenError("the presigned URL has a path or repeats a parameter")
    check(query)
    check_time(query, datetime.fromtimestamp(now, timezone.utc))
    return Token(url, query)


def decoded(text):
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise TokenError("the token is no base64url text") from error


def check(query):
    missing, unknown = sorted(NEEDED - set(query)), sorted(set(query) - ALLOWED)
    if missing or unknown:
        raise TokenError(f"the presigned URL lacks {missing}" if missing else
                         f"the presigned URL has unknown parameters {unknown}")
    if query["action"] != "GetCallerIdentity":
        raise TokenError(f"unexpected action {query['action']!r} in the presigned URL")
    if CLUSTER_HEADER not in query["x-amz-signedheaders"].lower().split(";"):
        raise TokenError(f"the header {CLUSTER_HEADER} is not signed")
    if len(query["x-amz-credential"].split("/")) != 5:
        raise TokenError("the presigned URL has no credential scope")


def check_time(query, now):
    try:
        signed = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
            tzinfo=timezone.utc)
        seconds = int(query["x-amz-expires"])
    except ValueError as error:
        raise TokenError("the presigned URL has no valid time") from error
    if not 0 <= seconds <= LIFE.total_seconds():
        raise TokenError("the presigned URL expires later than EKS allows")
    if now > signed + LIFE or signed > now + SKEW:
        raise TokenError(f"the token has expired (signed {signed:%Y-%m-%d %H:%M:%S} UTC)")
