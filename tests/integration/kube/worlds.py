# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab whose EKS clusters are real, callers with tokens, and clients of the clusters."""
from __future__ import annotations

import base64
import json
import time

import boto3
import kubernetes
from botocore.signers import RequestSigner
from tests.unit.lab import lab_worlds

from lab.aws import Lab

ACCOUNT, REGION = lab_worlds.ACCOUNT, lab_worlds.REGION
STS = f"https://sts.{REGION}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
POLICY = "arn:aws:eks::aws:cluster-access-policy/"


def soon(look, seconds=40, what="it"):
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def token(session, cluster, url=STS, headers=None):
    """As `aws eks get-token` makes it."""
    signer = RequestSigner(session.client("sts").meta.service_model.service_id, REGION, "sts",
                           "v4", session.get_credentials(), session.events)
    headers = {"x-k8s-aws-id": cluster} if headers is None else headers
    signed = signer.generate_presigned_url(
        {"method": "GET", "url": url, "body": {}, "headers": headers, "context": {}},
        region_name=REGION, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")


class World:
    """The lab in this process, with the real clock."""

    def __init__(self, **settings):
        self.lab = Lab({"kubernetes": True, "eviction_seconds": 2, **settings})
        self.names = {}

    def session(self, key=f"LAB0{ACCOUNT}", secret="lab", session_token=None):
        return self.lab.attach(boto3.Session(
            aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION,
            aws_session_token=session_token))

    def __call__(self, service):
        return self.session().client(service)

    # ---- clusters ---------------------------------------------------------------------------

    def cluster(self, name, mode="API", wait=True, **fields):
        if not self.names:
            self.names = {**lab_worlds.network(self),
                          "role": lab_worlds.role(self, "c", "eks.amazonaws.com",
                                                  "AmazonEKSClusterPolicy"),
                          "node_role": lab_worlds.role(self, "n", "ec2.amazonaws.com",
                                                       "AmazonEKSWorkerNodePolicy")}
        self("eks").create_cluster(
            name=name, roleArn=self.names["role"], accessConfig={"authenticationMode": mode},
            resourcesVpcConfig={"subnetIds": self.subnets()}, **fields)
        return self.active(name) if wait else None

    def subnets(self):
        return [self.names["subnet_a"], self.names["subnet_b"]]

    def describe(self, name):
        return self("eks").describe_cluster(name=name)["cluster"]

    def active(self, name):
        soon(lambda: self.describe(name)["status"] != "CREATING", 90, f"{name} ACTIVE")
        cluster = self.describe(name)
        assert cluster["status"] == "ACTIVE", cluster["health"]
        return cluster

    def plane(self, name):
        return self.lab.fleet.get((ACCOUNT, REGION, name))

    # ---- callers ----------------------------------------------------------------------------

    def user(self, name):
        """(session, ARN) of an IAM user of that name."""
        arn = self("iam").create_user(UserName=name)["User"]["Arn"]
        key = self("iam").create_access_key(UserName=name)["AccessKey"]
        return self.session(key["AccessKeyId"], key["SecretAccessKey"]), arn

    def role(self, name, path="/"):
        """(session, ARN) of a role that the account's users may assume."""
        trust = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
             "Action": "sts:AssumeRole"}]})
        arn = self("iam").create_role(RoleName=name, Path=path,
                                      AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        made = self("sts").assume_role(RoleArn=arn, RoleSessionName="work")["Credentials"]
        return self.session(made["AccessKeyId"], made["SecretAccessKey"],
                            made["SessionToken"]), arn

    def client(self, cluster, bearer):
        """A kubernetes.client.ApiClient, as DescribeCluster tells how."""
        live = self.describe(cluster)
        configuration = kubernetes.client.Configuration(
            host=live["endpoint"], api_key={"authorization": f"Bearer {bearer}"})
        configuration.ssl_ca_cert = self.plane(cluster).folder / "described-ca.crt"
        configuration.ssl_ca_cert.write_bytes(
            base64.b64decode(live["certificateAuthority"]["data"]))
        configuration.retries = False
        return kubernetes.client.ApiClient(configuration)

    def login(self, cluster, session=None):
        return self.client(cluster, token(session or self.session(), cluster))

    def core(self, cluster="live", session=None):
        return kubernetes.client.CoreV1Api(self.login(cluster, session))
