# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/."""
from __future__ import annotations

import datetime
import hashlib
import json

from ..clients.tags import pairs
from ..engine.errors import Busy, Failure, NotFound
from ..engine.resource import KEY, OWNER, Resource, attr, create_only, search, updates
from .declared import Declared
from .kms import Key

NAMES_PER_FILTER = 10  # API_Filter
# A tag that says of a certificate what one must know to renew it, so that nobody need read it.
MARK = "groundwork:certificate"
MARKED = f"Tags[?Key=='{MARK}'].Value | [0]"


def mark(dns_names: list[str], days: int) -> str:
    """Last day and names of a certificate made today, as far as one must know to renew it."""
    last = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=days)
    return f"{last} {digest(dns_names)}"


def digest(dns_names: list[str]) -> str:
    """Names in a form that any tag may hold."""
    return hashlib.sha256(" ".join(sorted(dns_names)).encode()).hexdigest()[:16]


def good(marked: str, dns_names: list[str], days: int) -> bool:
    """Whether a certificate is for these names, with a third of its days before it."""
    last, _space, names = marked.partition(" ")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    try:
        left = datetime.date.fromisoformat(last) - today
    except ValueError:  # somebody has written something else there
        return False
    return names == digest(dns_names) and left.days * 3 >= days


def certified(certificate: dict, former: str = "") -> str:
    """The value of a Secret with another certificate."""
    from ..clients import certificates  # takes longer to import than all else of a type
    return json.dumps(certificates.made(**certificate, former=former))


def wanted_mark(certificate: dict, live: dict) -> str | None:
    """The mark as it is, or that of another certificate when it is time for one."""
    have = search(MARKED, live)
    return have if not have or good(have, **certificate) else mark(**certificate)


class Template:
    """What a user gives of a secret's value: plans show its names, and nothing of its values."""

    def __init__(self, values: dict):
        self.values = values

    def __str__(self):
        return f"(hidden: {', '.join(sorted(map(str, self.values)))})"


class Secret(Declared):
    """A secret. Its value is made at creation; no field, plan or message ever holds it.

    A certificate is made again before it ends, and for other names.
    """

    name: str = create_only("Name")
    description: str = attr("Description")
    kms_key: Key | str = attr("KmsKeyId", of="Arn")
    password: dict = attr()  # parameters of GetRandomPassword; None: no value yet
    # {dns_names, days} of one that is the value instead
    certificate: dict = attr(MARKED, want=wanted_mark)
    template: Template = attr()  # the JSON object that the password is put into
    generate_string_key: str = attr()
    recovery_window_in_days: int = attr()  # 0: none
    deletion_protection: bool = attr()  # ours: AWS knows no such switch

    service, ref, identity, tags_path = "secretsmanager", "ARN", ("name",), "Tags"
    stateful = delete_first = True
    unrehearsed = ("password", "certificate")
    outputs = {"arn": "ARN", "name": "Name", "certificate": MARKED}
    tells = ("name",)

    @property
    def protected(self):
        return self.deletion_protection is not False

    @classmethod
    def fetch(cls, scan):
        """Our secrets, and of those wanted the ones that the list does not show as wanted.

        The list may be five minutes old (API_ListSecrets), the description of one secret is not.
        """
        api, wanted = scan.api, scan.named(cls)
        filters = [{"Key": "tag-key", "Values": [OWNER]}, {"Key": "tag-value",
                                                           "Values": [scan.owner]}]
        found = {s["Name"]: s for s in cls._list(api, filters)}
        missing = sorted(wanted.keys() - found.keys())
        for start in range(0, len(missing), NAMES_PER_FILTER):
            names = missing[start:start + NAMES_PER_FILTER]
            listed = cls._list(api, [{"Key": "name", "Values": names}])
            found.update({s["Name"]: s for s in listed if s["Name"] in names})
        doubtful = [n for n, r in wanted.items() if not r.agrees(found.get(n), scan)]
        found.update(zip(doubtful, api.map(lambda name: describe(api, name), doubtful)))
        return [s for s in found.values() if s and not s.get("DeletedDate")]

    @staticmethod
    def _list(api, filters: list) -> list:
        return api.pages("secretsmanager", "list_secrets", "SecretList", Filters=filters,
                         MaxResults=100)

    def agrees(self, live: dict | None, scan) -> bool:
        """Whether a listed secret is as wanted (fields may still hold resources)."""
        key = self.kms_key
        if isinstance(key, Resource):
            key = next((k["Arn"] for k in scan.of(Key).owned.get(key.key, ())), None)
        return bool(live and self.tags.items() <= self.tags_of(live).items()
                    and (self.description or "") == live.get("Description", "")
                    and not (self.certificate and
                             wanted_mark(self.certificate, live) != search(MARKED, live))
                    and key in (None, live.get("KmsKeyId")))

    def create(self, api):
        """The value goes from where it is made into the call, and nowhere else."""
        value = {"SecretString": self._value(api)} if self.password is not None else {}
        try:
            answer = api.secretsmanager.create_secret(**self.params(), **value, **self.tagging())
        except Busy:
            if not self._take_back(api):
                raise
            return describe(api, self.name)
        return {"ARN": answer["ARN"], "Name": self.name, **self.tagging()}

    def tagging(self):
        """With the mark of the certificate that is made."""
        own = {MARK: mark(**self.certificate)} if self.certificate else {}
        return {"Tags": pairs({**self.tags, **own})}

    def _value(self, api) -> str:
        if self.certificate:
            return certified(self.certificate)
        password = api.secretsmanager.get_random_password(**self.password)["RandomPassword"]
        if not self.generate_string_key:
            return password
        given = self.template.values if self.template else {}
        return json.dumps({**given, self.generate_string_key: password})

    def _take_back(self, api) -> bool:
        """Restores our own secret of this name, with its old value, from its recovery window."""
        live = describe(api, self.name) or {}
        tags = self.tags_of(live)
        ours = all(tags.get(k) == self.tags.get(k) for k in (OWNER, KEY))
        if not live.get("DeletedDate") or not ours:
            return False
        api.secretsmanager.restore_secret(SecretId=live["ARN"])
        self.change(api, live)
        self.retag(api, live)
        return True

    @updates("description", "kms_key")
    def change(self, api, live):
        """Changes what is not the value."""
        given = {"Description": self.description, "KmsKeyId": self.kms_key}
        api.secretsmanager.update_secret(
            SecretId=live["ARN"], **{k: v for k, v in given.items() if v is not None})

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.secretsmanager.tag_resource(SecretId=live["ARN"], Tags=pairs(self.tags))

    @updates("certificate")
    def renew(self, api, live):
        """Another certificate. Servers and clients that have the former one are still trusted."""
        try:
            former = value_of(api, self.name, "ca.crt")
        except ValueError as error:
            raise Failure(f"{error}; if its value is to stay, write generate: false") from None
        value = certified(self.certificate, former or "")
        api.secretsmanager.put_secret_value(SecretId=live["ARN"], SecretString=value)
        api.secretsmanager.tag_resource(
            SecretId=live["ARN"], Tags=pairs({MARK: mark(**self.certificate)}))

    def delete(self, api, live):
        days = self.recovery_window_in_days
        how = {"ForceDeleteWithoutRecovery": True} if days == 0 else \
            {"RecoveryWindowInDays": days} if days else {}
        api.secretsmanager.delete_secret(SecretId=live["ARN"], **how)


def describe(api, name: str) -> dict | None:
    """What is known of one secret, its value aside; None when it is not there."""
    try:
        return api.secretsmanager.describe_secret(SecretId=name)
    except NotFound:
        return None


def value_of(api, name: str, key: str | None = None) -> str | None:
    """The value of a secret, or of one key of it where it is a JSON object; None: it has none.

    ValueError where it is no such object. For the body of a request, and nothing else.
    """
    try:
        text = api.secretsmanager.get_secret_value(SecretId=name)["SecretString"]
    except NotFound:
        return None
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"secret {name} is not a JSON object with the key {key}") from None
