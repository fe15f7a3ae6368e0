"""The page of IAM policies for whoever runs the collection, out of the calls that it names."""

import ast
import functools
import itertools
import json
import re
import sys
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "permissions.md"
UTILS = ROOT / "plugins" / "module_utils"
MOST = 6144  # characters without white space: IAM's quotas, reference_iam-quotas.html
# boto3's name of a service -> its prefix in IAM, where that is another one:
# https://docs.aws.amazon.com/service-authorization/latest/reference/
PREFIXES = {"efs": "elasticfilesystem", "elb": "elasticloadbalancing",
            "elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag",
            "service-quotas": "servicequotas"}
# Operations of S3 whose action has another name:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
S3 = {"DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
      "DeleteBucketLifecycle": "PutLifecycleConfiguration", "DeleteObjects": "DeleteObject",
      "GetBucketEncryption": "GetEncryptionConfiguration",
      "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
      "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
      "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
      "ListObjectVersions": "ListBucketVersions",
      "PutBucketEncryption": "PutEncryptionConfiguration",
      "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
      "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
      "PutPublicAccessBlock": "PutBucketPublicAccessBlock"}
CONTENTS = ("GetObject", "GetSecretValue")  # reads that a plan of AWS objects does not make
DOCS = "https://docs.aws.amazon.com/"
# Actions that AWS asks for besides: action -> (what for, where AWS says so).
BESIDES = {
    "iam:PassRole": ("roles for clusters, nodes, flow logs and databases",
                     "eks/latest/userguide/security-iam-id-based-policy-examples.html"),
    "iam:CreateServiceLinkedRole": ("the first cluster, node group, database... of an account",
                                    "eks/latest/userguide/using-service-linked-roles.html"),
    "ec2:RunInstances": ("node groups with a launch template",
                         "eks/latest/userguide/launch-templates.html"),
    "kms:CreateGrant": ("clusters and databases that are encrypted with a key of one's own",
                        "eks/latest/userguide/enable-kms.html"),
    "kms:Decrypt": ("secrets and databases with a key of one's own",
                    "secretsmanager/latest/apireference/API_CreateSecret.html"),
    "kms:GenerateDataKey": ("the same", "secretsmanager/latest/apireference/API_CreateSecret.html"),
    "ec2:CreateNetworkInterface": ("mount targets and caches",
                                   "efs/latest/ug/API_CreateMountTarget.html"),
    "ec2:ModifyNetworkInterfaceAttribute": (
        "other security groups of mount targets",
        "efs/latest/ug/API_ModifyMountTargetSecurityGroups.html"),
    "route53:AssociateVPCWithHostedZone": (
        "private names of interface endpoints",
        "service-authorization/latest/reference/list_amazonec2.html"),
    "iam:GetRole": ("EKS looks at roles as the caller",
                    "https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2018"),
    "iam:ListAttachedRolePolicies": (
        "the same", "https://github.com/aws-controllers-k8s/community/issues/2164"),
    "kms:RetireGrant": ("repositories with a key of one's own",
                        "AmazonECR/latest/userguide/repository-creation-templates-custom.html"),
    **dict.fromkeys(
        ("logs:CreateLogDelivery", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy"),
        ("logs that a cache delivers",
         "AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html")),
    "s3:TagResource": ("buckets that get their tags at creation",
                       "AmazonS3/latest/API/API_CreateBucketConfiguration.html"),
    "s3:DeleteObjectVersion": ("emptying a bucket with versions",
                               "AmazonS3/latest/API/API_DeleteObjects.html"),
    "s3:ListBucket": ("telling a lease that is not there from one that may not be read",
                      "AmazonS3/latest/API/API_GetObject.html"),
}
# Where a right is kept to objects of certain names: pattern of actions -> ARNs.
HOMES = [f"arn:aws:iam::*:{kind}/groundwork/*" for kind in ("role", "policy", "instance-profile")]
SCOPES = {
    r"iam:CreateServiceLinkedRole": ["arn:aws:iam::*:role/aws-service-role/*"],
    r"iam:(Get|List).*": ["*"],
    r"iam:.*OpenIDConnect.*": ["arn:aws:iam::*:oidc-provider/oidc.eks.*"],
    r"iam:.*": HOMES,
    r"s3:(Get|Put)Object|s3:ListBucket": ["arn:aws:s3:::groundwork-leases-*"],
    r".*": ["*"],
}
INTRO = """# Permissions

Policies for whoever runs the playbooks: the first one to plan, all of them to change and remove.
They hold each call that the code of the collection names, whether a stack needs it or not, and fit
IAM's limit of a managed policy.

* Roles, policies and instance profiles may only be made under `/groundwork/`, where they are by
  default. With options such as `path` that put them elsewhere, or roles given by their ARN, add
  these to the resources of `iam:PassRole` and the others. Whoever may write policies of roles and
  pass these can give such a role any right: a permissions boundary on the caller, or a narrower
  path, is up to the account.
* Elsewhere names do not tell whose an object is: whoever may change and remove can also read each
  secret, empty each bucket and end each instance of the account. Where others share it, narrow
  these actions by the condition `aws:ResourceTag/groundwork:stack`, or give the stacks an account.
* Leases are in the bucket `groundwork-leases-ACCOUNT-REGION`; where `lease_bucket` names another,
  write that one.
* In the partitions of China and GovCloud write `aws-cn` or `aws-us-gov` for `aws` in the ARNs.
* What runs in the cluster needs an access entry there (`eks_cluster.access_entries`), and
  `eks:DescribeCluster`. A plan of a set that takes values from Secrets Manager also needs
  `secretsmanager:GetSecretValue`.
"""


@functools.lru_cache(maxsize=None)
def operations():
    """(service, operation) of every call that types and clients name."""
    from botocore import xform_name
    from botocore.session import Session
    session, trees, found = Session(), {}, set()
    services = set(session.get_available_services())
    for path in (*UTILS.glob("types/*.py"), *UTILS.glob("clients/*.py")):
        trees[path.stem] = list(ast.walk(ast.parse(path.read_text())))
    named = {stem: _services(nodes) & services for stem, nodes in trees.items()}
    for stem, nodes in trees.items():
        words = _words(nodes).union(*(
            _words(trees[other]) for other in _imported(nodes) if not named.get(other, True)))
        for service in named[stem]:
            methods = {xform_name(o): o for o in session.get_service_model(service).operation_names}
            found |= {(service, methods[word]) for word in words & methods.keys()}
    return sorted(found)


def _services(nodes):
    """What may be names of services: attributes, values of `service`, what is paged."""
    found = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute) \
                and node.func.attr in ("pages", "_pages"):
            found.add(getattr(node.args[0], "value", None))
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = zip(target.elts, value.elts) if isinstance(target, ast.Tuple) and \
                isinstance(value, ast.Tuple) else [(target, value)]
            found |= {v.value for t, v in pairs
                      if getattr(t, "id", "") == "service" and isinstance(v, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


def _words(nodes):
    """All that may be the name of a method."""
    return {node.attr if isinstance(node, ast.Attribute) else node.value for node in nodes
            if isinstance(node, ast.Attribute)
            or isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _imported(nodes):
    """Modules beside a module that it imports from."""
    return {node.module for node in nodes
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module}


def action(service, operation):
    """The action of IAM that allows an operation."""
    name = S3.get(operation, operation) if service == "s3" else operation
    return f"{PREFIXES.get(service, service)}:{name}"


def policies():
    """Title -> document of each policy."""
    from ansible_collections.groundwork.aws.plugins.module_utils.clients.aws import is_read
    calls = operations()
    plain = {action(*c) for c in calls if is_read(c[1]) and c[1] not in CONTENTS}
    rest = sorted({*(action(*c) for c in calls), *BESIDES} - plain)
    parts = next(parts for parts in (_cut(rest, count) for count in itertools.count(1))
                 if all(size(document(part)) <= MOST for part in parts))
    return {"To plan": document(sorted(plain)), **{
        f"To change and remove, {number} of {len(parts)}": document(part)
        for number, part in enumerate(parts, 1)}}


def _cut(names, count):
    """The names in so many parts of like size."""
    return [names[len(names) * n // count:len(names) * (n + 1) // count] for n in range(count)]


def document(actions):
    """The policy that allows these actions."""
    scopes = {}
    for name in actions:
        arns = next(arns for pattern, arns in SCOPES.items() if re.fullmatch(pattern, name))
        scopes.setdefault(tuple(arns), []).append(name)
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": names, "Resource": list(arns) if len(arns) > 1 else arns[0]}
        for arns, names in scopes.items()]}


def size(policy):
    """The characters that IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(policy)))


def granted(planning):
    """The actions that the page allows, those of a plan or all."""
    found = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)[:1 if planning else None]
    return {name for policy in map(json.loads, found) for part in policy["Statement"]
            for name in part["Action"]}


def page():
    """The page as text."""
    sys.path.insert(0, str(ROOT / ".collections"))
    lines = [INTRO]
    for title, policy in policies().items():
        lines += [f"## {title}", "", "```json", json.dumps(policy, indent=1), "```", ""]
    lines += ["## What AWS asks for besides", "",
              "These are in the policies though nothing calls them by name.", "",
              "| action | for | source |", "|---|---|---|"]
    lines += [f"| `{name}` | {what} | <{urllib.parse.urljoin(DOCS, place)}> |"
              for name, (what, place) in BESIDES.items()]
    return "\n".join([*lines, ""])
