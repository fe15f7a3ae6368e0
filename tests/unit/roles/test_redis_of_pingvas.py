# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis of pingvas' prod, as the shipped inventory has it: where it runs and who reaches it."""
from __future__ import annotations

import collections
import fnmatch
import ipaddress
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from tests.rendering import rendered

FOLDER = Path(__file__).parents[3] / "inventories" / "platform" / "group_vars" / "pingvas"
OUTPUTS = collections.defaultdict(lambda: collections.defaultdict(lambda: "(after apply)"))
GIVEN = {"stack_result": {"outputs": OUTPUTS}, **{
    name: value for file in sorted(FOLDER.glob("*.yml"))
    for name, value in DataLoader().load_from_file(str(file), trusted_as_template=True).items()}}
REDIS = {"app.kubernetes.io/name": "redis-sentinel", "app.kubernetes.io/instance": "redis"}
SERVICE = {"app.kubernetes.io/name": "user-service"}
# Pods have addresses of the private subnets; the load balancer's nodes are in the public ones.
INSIDE, PUBLIC = ipaddress.ip_address("10.0.12.7"), ipaddress.ip_address("10.0.2.7")


def objects(role: str, kind: str) -> list[dict]:
    return [item for item in rendered(role, GIVEN) if item["kind"] == kind]


def meets(peer: dict, policy: dict, other: tuple) -> bool:
    """Whether the other end (namespace, labels, address) is one that a policy names."""
    space, labels, address = other
    block = peer.get("ipBlock")
    if block:
        return address in ipaddress.ip_network(block["cidr"]) and not any(
            address in ipaddress.ip_network(cut) for cut in block.get("except", ()))
    spaces = peer.get("namespaceSelector", {}).get("matchLabels")
    pods = (peer.get("podSelector") or {}).get("matchLabels", {})
    return pods.items() <= labels.items() and space == (
        policy["metadata"]["namespace"] if spaces is None
        else spaces["kubernetes.io/metadata.name"])


def allowed(direction: str, pod: tuple, other: tuple, port: int) -> bool:
    """https://kubernetes.io/docs/concepts/services-networking/network-policies/."""
    mine = [policy for policy in objects("tenancy", "NetworkPolicy")
            if policy["metadata"]["namespace"] == pod[0]
            and direction.title() in policy["spec"]["policyTypes"]
            and policy["spec"]["podSelector"].get("matchLabels", {}).items() <= pod[1].items()]
    ways = [(rule, policy) for policy in mine for rule in policy["spec"].get(direction, ())]
    peers = "from" if direction == "ingress" else "to"
    return not mine or any(
        any(meets(peer, policy, other) for peer in rule[peers])
        and port in [p["port"] for p in rule.get("ports", [{"port": port}])]
        for rule, policy in ways)


@pytest.mark.parametrize(("who", "whom", "port", "reached"), [
    (("prod", SERVICE, INSIDE), ("prod", REDIS, INSIDE), 6379, True),
    (("prod", SERVICE, INSIDE), ("prod", REDIS, INSIDE), 26379, True),
    (("prod", REDIS, INSIDE), ("prod", REDIS, INSIDE), 6379, True),
    (("dev", SERVICE, INSIDE), ("prod", REDIS, INSIDE), 6379, False),
    (("dev", SERVICE, INSIDE), ("prod", REDIS, INSIDE), 26379, False),
    (("dev", REDIS, INSIDE), ("prod", REDIS, INSIDE), 6379, False),
    (("default", {}, INSIDE), ("prod", REDIS, INSIDE), 6379, False),
    (("elsewhere", {}, PUBLIC), ("prod", REDIS, PUBLIC), 6379, False),
    (("monitoring", {}, INSIDE), ("prod", REDIS, INSIDE), 9121, True),
    (("monitoring", {}, INSIDE), ("prod", SERVICE, INSIDE), 9121, False),
    (("monitoring", {}, INSIDE), ("prod", REDIS, INSIDE), 6379, False),
    (("dev", SERVICE, INSIDE), ("prod", REDIS, INSIDE), 9121, False),
    (("prod", REDIS, INSIDE), ("kube-system", {}, INSIDE), 53, True),
])
def test_who_reaches_it(who, whom, port, reached):
    assert (allowed("egress", who, whom, port) and allowed("ingress", whom, who, port)) is reached


def test_only_its_own_nodes_take_it_and_they_take_nothing_else():
    groups = GIVEN["eks_nodegroups"]["nodegroups"]
    own = groups["redis"]
    (taint, how), = own["taints"].items()
    assert how["effect"] == "NO_SCHEDULE" and own.get("capacity_type") != "SPOT"
    assert own["min_size"] == own["max_size"] == len(GIVEN["network"]["availability_zones"]) == 3
    for item in objects("redis_sentinel", "StatefulSet"):
        spec = item["spec"]["template"]["spec"]
        wanted = spec["nodeSelector"].items()
        assert [name for name, group in groups.items() if wanted <= group["labels"].items()] == \
            ["redis"]
        assert spec["tolerations"] == [{"key": taint, "operator": "Equal", "value": how["value"],
                                        "effect": "NoSchedule"}]
    assert not [item for item in objects("workload", "Deployment")
                for toleration in item["spec"]["template"]["spec"].get("tolerations", ())
                if toleration["key"] == taint]


def test_services_of_prod_find_it_and_those_of_dev_do_not():
    pods = {(item["metadata"]["namespace"], item["metadata"]["name"]):
            item["spec"]["template"]["spec"] for item in objects("workload", "Deployment")}
    sets = [item["metadata"]["name"] for item in objects("redis_sentinel", "StatefulSet")]
    here = {item["metadata"]["name"]: item["spec"]["ports"][0]["port"]
            for item in objects("redis_sentinel", "Service")}
    secrets = {item["metadata"]["name"]: item["stringData"]
               for item in objects("redis_sentinel", "Secret")}
    assert pods
    for (space, _name), spec in pods.items():
        container, = spec["containers"]
        env = {e["name"]: e.get("value") for e in container["env"]}
        if space == "dev":
            assert not [name for name in env if name.startswith("REDIS_SENTINEL")]
            continue
        assert here[env["REDIS_SENTINEL_HOST"]] == int(env["REDIS_SENTINEL_PORT"]) == 26379
        assert env["REDIS_SENTINEL_NAME"] in sets and env["REDIS_SECRET_ID"]
        folder, file = env["REDIS_CA_FILE"].rsplit("/", 1)
        name, = [volume["secret"]["secretName"] for volume in spec["volumes"]
                 for mount in container["volumeMounts"]
                 if mount["mountPath"] == folder and mount["name"] == volume["name"]]
        assert list(secrets[name]) == [file]


def test_its_certificate_is_good_for_all_its_names():
    stack = "pingvas-shared/"
    of = {stack + name: given for name, given in GIVEN["secrets"]["secrets"].items()}
    assert of[GIVEN["redis_sentinel_auth_secret"]]["generate_secret_string"]
    names = of[GIVEN["redis_sentinel_tls_secret"]]["generate_certificate"]["dns_names"]
    for called in ("redis-0.redis.prod.svc.cluster.local", "redis-sentinel"):
        assert any(fnmatch.fnmatch(called, name) for name in names), called
    # Services may read what is below prod/, and the key is not theirs.
    assert not GIVEN["redis_sentinel_tls_secret"].startswith(f"{stack}prod/")
