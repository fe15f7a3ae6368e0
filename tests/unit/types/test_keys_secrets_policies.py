# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is particular to keys, secrets, policies and rules, beside the laws."""
from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import certificates
from ansible_collections.groundwork.aws.plugins.module_utils.components import security_groups
from ansible_collections.groundwork.aws.plugins.module_utils.components.context import Stack
from ansible_collections.groundwork.aws.plugins.module_utils.options import checked
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store
from tests.world import REGION, World, actions

GONE = dict(state="absent", confirm_destroy="acme-test")
TOKEN = {"secrets": {"secrets": {"token": {"description": "A token"}}}}
LOGIN = {"secrets": {"secrets": {"login": {"generate_secret_string": {
    "secret_string_template": {"username": "app"}, "generate_string_key": "password",
    "password_length": 40, "exclude_punctuation": True}}}}}
KEYS = {"kms_keys": {"keys": {"data": {"description": "Data"}}}}


def test_value_is_made_by_aws_and_shown_nowhere():
    world = World()
    results = [world.run(LOGIN, check=True), world.run(LOGIN), world.run(LOGIN)]
    assert "secretsmanager.GetRandomPassword" not in world.lab.calls.names
    value = json.loads(world.client("secretsmanager").get_secret_value(
        SecretId="acme-test/login")["SecretString"])
    assert value["username"] == "app" and len(value["password"]) == 40
    assert not any(value["password"] in json.dumps(r, default=str) for r in results)


def test_a_certificate():
    """For the names and the days that are given; checked as a client of the server checks it."""
    world, names = World(), ["redis.example.com", "*.redis.example.com"]
    options = {"secrets": {"secrets": {"tls": {"generate_certificate": {
        "dns_names": names, "days": 30}}}}}
    results = [world.run(options, check=True), world.run(options), world.run(options)]
    assert [r["changed"] for r in results] == [True, True, False]
    value = json.loads(world.client("secretsmanager").get_secret_value(
        SecretId="acme-test/tls")["SecretString"])
    authority, own = (x509.load_pem_x509_certificate(value[name].encode())
                      for name in ("ca.crt", "tls.crt"))
    verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(
        x509.DNSName("a.redis.example.com"))
    verifier.verify(own, [])
    assert own.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == names
    left = own.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    assert left.days in (29, 30)
    key = serialization.load_pem_private_key(value["tls.key"].encode(), None)
    assert key.public_key() == own.public_key()
    assert not any(value["tls.key"] in json.dumps(r, default=str) for r in results)


TLS = {"secrets": {"secrets": {"tls": {"generate_certificate": {
    "dns_names": ["redis.example.com"], "days": 90}}}}}


def ends_in(world: World, days: int, name: str = "acme-test/tls") -> None:
    """Lets the mark of a certificate say that it ends in so many days."""
    client = world.client("secretsmanager")
    tags = {t["Key"]: t["Value"] for t in client.describe_secret(SecretId=name)["Tags"]}
    _last, names = tags["groundwork:certificate"].split(" ")
    last = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=days)
    client.tag_resource(SecretId=name, Tags=[
        {"Key": "groundwork:certificate", "Value": f"{last} {names}"}])


def held(world: World) -> dict:
    return json.loads(world.client("secretsmanager").get_secret_value(
        SecretId="acme-test/tls")["SecretString"])


def test_a_certificate_is_renewed_in_time():
    """In the last third of its days; a plan tells it, and reads no secret."""
    world = World()
    first = world.run(TLS)["outputs"]["secrets/secret/tls"]["certificate"]
    before = held(world)
    ends_in(world, 30)
    assert actions(world.run(TLS)) == {}
    ends_in(world, 29)
    plan = world.run(TLS, check=True)
    assert actions(plan) == {"secrets/secret/tls": "update"}
    told = plan["outputs"]["secrets/secret/tls"]  # so that its pods are known to start again
    assert told["certificate"] == "(after apply: secrets/secret/tls)"
    assert told["name"] == "acme-test/tls"
    assert "secretsmanager.GetSecretValue" not in world.lab.calls.names
    done, after = world.run(TLS), held(world)
    assert done["outputs"]["secrets/secret/tls"]["certificate"] == first
    assert actions(done) == actions(plan) and not world.run(TLS)["changed"]
    assert after["tls.key"] != before["tls.key"]
    for one in (before, after):  # servers that have not read it yet are still trusted
        PolicyBuilder().store(Store(x509.load_pem_x509_certificates(
            after["ca.crt"].encode()))).build_server_verifier(
                x509.DNSName("redis.example.com")).verify(
                    x509.load_pem_x509_certificate(one["tls.crt"].encode()), [])
    shown = json.dumps([plan, done], default=str)
    assert not any(value["tls.key"] in shown for value in (before, after))


def test_authorities_that_have_ended_are_forgotten():
    ended, lasts = (certificates.made(["a.example.com"], days)["ca.crt"] for days in (0, 9))
    found = certificates.made(["a.example.com"], 9, ended + lasts)["ca.crt"]
    assert found.endswith(lasts) and ended not in found


def test_what_somebody_has_put_in_instead_is_not_overwritten():
    world = World()
    world.run(TLS)
    world.client("secretsmanager").put_secret_value(SecretId="acme-test/tls", SecretString="own")
    ends_in(world, 1)
    assert world.run(TLS)["problems"] == [
        "update secrets/secret/tls: secret acme-test/tls is not a JSON object with the key ca.crt; "
        "if its value is to stay, write generate: false"]
    own = {"secrets": {"secrets": {"tls": {**TLS["secrets"]["secrets"]["tls"], "generate": False}}}}
    assert not world.run(own)["changed"]
    assert world.client("secretsmanager").get_secret_value(
        SecretId="acme-test/tls")["SecretString"] == "own"


def test_secret_is_taken_back_with_its_value():
    world = World()
    world.run(TOKEN)
    before = world.client("secretsmanager").get_secret_value(SecretId="acme-test/token")
    kept = world.run(TOKEN, **GONE)
    assert kept["failed"] and "allow_data_loss" in kept["msg"]
    assert not world.run(TOKEN, **GONE, allow_data_loss=["secrets/secret/token"])["failed"]
    changed = {"secrets": {"secrets": {"token": {"description": "The same token"}}}}
    assert actions(world.run(changed)) == {"secrets/secret/token": "create"}
    after = world.client("secretsmanager").get_secret_value(SecretId="acme-test/token")
    assert after["SecretString"] == before["SecretString"]
    assert not world.run(changed)["changed"]


def test_foreign_secret_of_the_name_is_refused():
    world = World()
    world.client("secretsmanager").create_secret(Name="acme-test/token", SecretString="theirs")
    result = world.run(TOKEN)
    assert result["failed"] and "adopt" in result["msg"] and not world.writes()


@pytest.mark.parametrize("options", [KEYS, TOKEN, LOGIN], ids=["key", "token", "login"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_lost_answers_make_no_second_one(options, when):
    for service in ("kms.CreateKey", "kms.CreateAlias", "secretsmanager.CreateSecret"):
        world = World(faults=[{"match": service, "when": when, "what": "drop"}])
        assert not world.run(options)["failed"]
        assert not world.run(options)["changed"]
        assert sum(world.kinds().values()) == len(world.run(options)["plan"])


def test_key_without_its_alias_is_found_again():
    world = World(faults=[{"match": "kms.CreateAlias", "what": "AccessDeniedException"}])
    assert world.run(KEYS)["failed"]
    assert actions(world.run(KEYS)) == {"kms_keys/alias/data": "create"}


def test_policy_keeps_five_versions():
    world = World()
    for number in range(8):
        statement = {"Effect": "Allow", "Action": "s3:GetObject",
                     "Resource": f"arn:aws:s3:::acme-{number}/*"}
        options = {"iam_roles": {"policies": {"data": {"statements": [statement]}}}}
        assert not world.run(options)["failed"]
    iam = world.client("iam")
    arn = world.run(options)["outputs"]["iam_roles/managed_policy/data"]["arn"]
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert sorted(v["VersionId"] for v in versions) == ["v4", "v5", "v6", "v7", "v8"]
    assert not world.run(options, **GONE)["failed"]
    assert not world.left()


def groups(given: dict):
    options, problems = checked("security_groups", given, security_groups.SPEC,
                                security_groups.NAMED)
    assert not problems
    return security_groups.build(options, Stack("acme", "test", REGION, "123456789012"))


def test_groups_in_a_vpc_that_exists():
    assert groups({"vpc_id": "vpc-1", "groups": {"a": {}}})[0].vpc == "vpc-1"


@pytest.mark.parametrize(("rule", "words"), [
    ({"from_port": 80}, "exactly one of"),
    ({"from_port": 80, "cidr_ipv4": "10.0.0.1/8"}, "write 10.0.0.0/8"),
    ({"from_port": 80, "cidr_ipv4": "::/0"}, "not an IPv4 range"),
    ({"from_port": 80, "source_group": "nodse"}, "did you mean nodes"),
    ({"cidr_ipv4": "0.0.0.0/0"}, "from_port"),
    ({"ports": ["90-80"], "cidr_ipv4": "0.0.0.0/0"}, "not a range of ports"),
    ({"ip_protocol": "-1", "from_port": 80, "cidr_ipv4": "0.0.0.0/0"}, "has no ports"),
])
def test_rules_that_aws_would_refuse(rule, words):
    with pytest.raises(ValueError, match=words) as raised:
        groups({"groups": {"nodes": {}, "alb": {"rules": {"web": rule}}}})
    assert "groups.alb.rules.web" in str(raised.value)


def test_two_groups_with_the_cluster_tag():
    with pytest.raises(ValueError, match="leave it on one"):
        groups({"groups": {"a": {"cluster_tag": True}, "b": {"cluster_tag": True}}})
