# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where an EKS cluster is and how to be known there, without a kubeconfig.

https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
"""
from __future__ import annotations

import base64
import functools
import os
import ssl

try:
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner
except ImportError:  # run_applyset.py reports the missing library
    RequestSigner = ServiceId = None

from ..engine.errors import Failure
from .kubeconfig import Kept, write_private
from .kubernetes import Connection

SIGNED = 60  # seconds in which a presigned address may be used first


def eks_token(session, region: str, cluster: str) -> str:
    """A token as `aws eks get-token` makes it: a presigned request that says who asks.

    It is signed for the real STS of the region, wherever other calls go: EKS takes no other.
    """
    suffix = ".cn" if region.startswith("cn-") else ""
    signer = RequestSigner(ServiceId("STS"), region, "sts", "v4", session.get_credentials(),
                           session.events)
    url = signer.generate_presigned_url(
        {"method": "GET", "body": {}, "context": {}, "headers": {"x-k8s-aws-id": cluster},
         "url": f"https://sts.{region}.amazonaws.com{suffix}/"
                "?Action=GetCallerIdentity&Version=2011-06-15"},
        region_name=region, expires_in=SIGNED, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def from_eks(aws, description: dict) -> Connection:
    """The connection to a cluster that DescribeCluster has described."""
    name = description["name"]
    sign = functools.partial(eks_token, aws.session, aws.region, name)
    token = Kept(sign, aws.clock)
    return Connection(server=description["endpoint"], name=f"EKS cluster {name}",
                      context=_context(description["certificateAuthority"]["data"]),
                      headers=lambda: {"Authorization": f"Bearer {token()}"},
                      kubeconfig=lambda folder: (write_private(
                          os.path.join(folder, "kubeconfig"),
                          config(description, {"token": sign()})), ""))


def _context(authority: str) -> ssl.SSLContext:
    """TLS with a cluster of this authority. OpenSSL's own words name a line of its source."""
    try:
        return ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    except ssl.SSLError:
        raise Failure("DescribeCluster tells no certificate authority that can be read") from None


def config(description: dict, user: dict) -> dict:
    """A kubeconfig for a cluster that DescribeCluster has described, and a user of it.

    https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
    """
    name = description["name"]
    return {"apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{"name": name, "cluster": {
                "server": description["endpoint"],
                "certificate-authority-data": description["certificateAuthority"]["data"]}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}]}


def asks_aws(name: str, region: str, profile: str | None) -> dict:
    """The user of a kubeconfig who gets tokens of the AWS CLI."""
    chosen = ["--profile", profile] if profile else []
    return {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", name, *chosen]}}
