"""What an EKS access policy allows: the rules of data/eks_access_policies.json."""

import fnmatch
import json
from pathlib import Path

DATA = json.loads((Path(__file__).parents[1] / "data" / "eks_access_policies.json").read_text())


def rules(policy):
    """[(API groups, resources, verbs)] of a policy, by the last part of its ARN."""
    name = policy.rsplit("/", 1)[-1]
    return [row for part in DATA["policies"].get(name, []) for row in DATA["rules"][part]]


def allows(association, attributes):
    """Does one associated policy allow a request (a SubjectAccessReview's spec)?"""
    scope, asked = association["accessScope"], attributes.get("resourceAttributes")
    if asked is None:
        everything = any("nonresource" in row for row in rules(association["policyArn"]))
        return everything and scope["type"] == "cluster"
    place = asked.get("namespace", "")
    if scope["type"] == "namespace" and not any(
            place and fnmatch.fnmatchcase(place, pattern) for pattern in scope["namespaces"]):
        return False
    return any(fits(row, asked) for row in rules(association["policyArn"]))


def fits(row, asked):
    resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
    return all("*" in row[key] or value in row[key] for key, value in (
        ("groups", asked.get("group", "")), ("resources", resource),
        ("verbs", asked.get("verb", ""))))
