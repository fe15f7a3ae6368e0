"""Who may do what in a cluster: the webhooks that its API server asks, answered from access
entries, access policies and the ConfigMap aws-auth.

Sources: userguide/access-entries.html, userguide/auth-configmap.html,
sigs.k8s.io/aws-iam-authenticator (README, Full Configuration Format).
"""

import re

import yaml

from lab.accounts import EXPIRED, caller_of
from lab.kube import policies
from lab.kube.tokens import TokenError, read

AWS_AUTH = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
NODE_GROUPS = ["system:bootstrappers", "system:nodes"]
ENTRIES, CONFIG_MAP = {"API", "API_AND_CONFIG_MAP"}, {"CONFIG_MAP", "API_AND_CONFIG_MAP"}


class Gatekeeper:
    """Answers for one cluster. `api` reads from it with the lab's own rights."""

    def __init__(self, lab, store, cluster, api):
        self.lab, self.store, self.cluster, self.api = lab, store, cluster, api

    def webhooks(self):
        return {"authenticate": self.authenticate, "authorize": self.authorize}

    # ---- who is it ----------------------------------------------------------------------------

    def authenticate(self, review):
        """A TokenReview, answered."""
        try:
            status = {"authenticated": True, "user": self.user(review["spec"]["token"])}
        except TokenError as refused:
            status = {"authenticated": False, "error": str(refused)}
        return {"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}

    def user(self, text):
        token = read(text, self.lab.clock())
        with self.lab.lock:
            caller = self.caller(token)
            mode = self.cluster["accessConfig"]["authenticationMode"]
            entry = self.entry(caller.principal) if mode in ENTRIES else None
        if entry:
            return user_of(caller, entry["username"], entry["kubernetesGroups"])
        if mode in CONFIG_MAP:
            found = self.in_config_map(caller)
            if found:
                return found
        raise TokenError(f"{caller.arn} has no access to the cluster {self.cluster['name']}")

    def caller(self, token):
        key, name = token.access_key, self.cluster["name"]
        caller = None if key.startswith(EXPIRED) else caller_of(key)
        if caller is None:
            raise TokenError(f"STS does not know the access key {key}")
        if caller.secret and not token.signed_by(caller.secret, name):
            raise TokenError(f"the token is not signed by {caller.arn} for the cluster {name}")
        return caller

    def entry(self, principal):
        return self.store.table("eks.access_entry").get((self.cluster["name"], principal))

    def in_config_map(self, caller):
        """By aws-auth; whoever made a cluster without entries is its hidden administrator."""
        if caller.principal == self.cluster["_creator"]:
            return user_of(caller, "kubernetes-admin", ["system:masters"])
        found = self.api().find(AWS_AUTH)
        data = (found or {}).get("data") or {}
        if caller.account in (yaml.safe_load(data.get("mapAccounts") or "") or []):
            return user_of(caller, caller.principal, [])
        for row in [*rows(data, "mapRoles", "rolearn"), *rows(data, "mapUsers", "userarn")]:
            if row["arn"].lower() == without_path(caller.principal).lower():
                return user_of(caller, row.get("username") or caller.principal,
                               row.get("groups") or [])
        return None

    # ---- may he -------------------------------------------------------------------------------

    def authorize(self, review):
        """A SubjectAccessReview, answered; RBAC was asked before."""
        spec = review["spec"]
        principal = ((spec.get("extra") or {}).get("principalArn") or [""])[0]
        with self.lab.lock:
            entry = self.entry(principal) or {"_policies": {}}
            found = any(policies.allows(row, spec) for row in entry["_policies"].values())
        status = {"allowed": found, "reason": "EKS access policy" if found else ""}
        return {"apiVersion": review["apiVersion"], "kind": "SubjectAccessReview",
                "status": status}


def rows(data, key, field):
    """The well-formed rows of one list of aws-auth; EKS passes over the others."""
    try:
        found = yaml.safe_load(data.get(key) or "") or []
    except yaml.YAMLError:
        return []
    return [{**row, "arn": row[field]} for row in found
            if isinstance(row, dict) and isinstance(row.get(field), str)]


def enroll(api, role):
    """EKS itself names the role of a managed node group in aws-auth, in mode CONFIG_MAP."""
    found = api.find(AWS_AUTH)
    if found is None:
        api.post(AWS_AUTH.rsplit("/", 1)[0], {"metadata": {"name": "aws-auth"}})
    known = rows((found or {}).get("data") or {}, "mapRoles", "rolearn")
    if without_path(role) not in [row["arn"] for row in known]:
        write(api, [*known, {"rolearn": without_path(role), "groups": NODE_GROUPS,
                             "username": "system:node:{{EC2PrivateDNSName}}"}])


def dismiss(api, role):
    """With its last group the role leaves. Source: userguide/delete-managed-node-group.html."""
    found = api.find(AWS_AUTH)
    known = rows((found or {}).get("data") or {}, "mapRoles", "rolearn")
    if found:
        write(api, [row for row in known if row["arn"] != without_path(role)])


def write(api, known):
    plain = [{key: value for key, value in row.items() if key != "arn"} for row in known]
    api.patch(AWS_AUTH, {"data": {"mapRoles": yaml.safe_dump(plain)}})


def without_path(arn):
    """aws-auth knows roles without their path."""
    return re.sub(r"(:role/)(?:.*/)?", r"\1", arn)


def user_of(caller, username, groups):
    account = caller.account
    node = re.sub(r"[^a-zA-Z0-9.-]", "-", caller.session)
    for word, value in {"{{SessionName}}": node, "{{SessionNameRaw}}": caller.session,
                        "{{AccountID}}": account, "{{EC2PrivateDNSName}}": node}.items():
        username = username.replace(word, value)
    extra = {"arn": caller.arn, "canonicalArn": without_path(caller.principal),
             "principalArn": caller.principal, "principalId": caller.user_id.split(":")[0],
             "sessionName": caller.session}
    return {"username": username, "uid": f"aws-iam-authenticator:{account}:{caller.user_id}",
            "groups": groups, "extra": {key: [value] for key, value in extra.items()}}
