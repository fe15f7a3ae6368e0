# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""KMS: https://docs.aws.amazon.com/kms/latest/APIReference/."""
from __future__ import annotations

from ..clients.tags import pairs
from ..engine.errors import Denied
from ..engine.resource import KEY, OWNER, attr, create_only, updates
from . import policies
from .declared import Declared, agrees, given

SLOW_MIRROR = (r"MalformedPolicyDocument\w* .*principal",)  # a role that is seconds old
TAGS = "Tags[].{Key: TagKey, Value: TagValue}"


class Key(Declared):
    """A key of our own. Its removal is an appointment, which AWS keeps after 7 to 30 days."""

    description: str = attr("Description")
    key_spec: str = create_only("KeySpec")
    key_usage: str = create_only("KeyUsage")
    multi_region: bool = create_only("MultiRegion")
    policy: dict = attr("Policy", read=policies.parse, same=policies.same)
    enable_key_rotation: bool = attr("KeyRotationEnabled", later=True)
    rotation_period_in_days: int = attr("RotationPeriodInDays", later=True)
    deletion_window_in_days: int = attr()
    deletion_protection: bool = attr()  # ours: AWS knows no such switch

    service, ref, tags_path = "kms", "KeyId", "Tags"
    creates = ("create_key", "KeyMetadata")
    stateful = True  # what it has encrypted is lost with it
    gone = "KeyState=='PendingDeletion' || KeyState=='PendingReplicaDeletion'"
    patience = SLOW_MIRROR
    outputs = {"id": "KeyId", "arn": "Arn"}

    @property
    def protected(self):
        return self.deletion_protection is not False

    @classmethod
    def fetch(cls, scan):
        """The keys behind our aliases and those that the tagging API knows.

        Only when one is missing, the keys without an alias, too: a run may have ended between
        the two. KMS has no list by tag.
        """
        api, wanted = scan.api, scan.keyed(cls)
        aliases = scan.of(Alias).items
        targets = {a["TargetKeyId"]: a["AliasName"] for a in aliases if "TargetKeyId" in a}
        names = scan.named(Alias)
        late = {arn.split("/")[-1]: tags for arn, tags in api.tagged("kms:key").items()}
        ours = {*late, *(key for key, name in targets.items()
                         if name in names or name.startswith(f"alias/{scan.owner}-"))}
        found = api.map(lambda key: cls._read(api, key, wanted, late.get(key)), sorted(ours))
        if wanted.keys() - {cls.tags_of(item).get(KEY) for item in found}:
            keys = {k["KeyId"] for k in api.pages("kms", "list_keys", "Keys", Limit=1000)}
            strays = api.map(lambda key: cls._stray(api, key),
                             sorted(keys - targets.keys() - ours))
            found += [cls._read(api, item["KeyId"], wanted, None) for item in strays
                      if cls.tags_of(item).get(OWNER) == scan.owner]
        return found

    @staticmethod
    def _stray(api, key: str) -> dict:
        """A key with its tags; without them where it belongs to somebody who shows nothing."""
        try:
            tags = api.pages("kms", "list_resource_tags", TAGS, KeyId=key)
        except Denied:
            tags = []
        return {"KeyId": key, "Tags": tags}

    @classmethod
    def _read(cls, api, key: str, wanted: dict, late: dict | None) -> dict:
        """Everything that is asked of one key; `late`: its tags by the tagging API."""
        item = api.kms.describe_key(KeyId=key)["KeyMetadata"]
        item["Tags"] = late if agrees(wanted.get((late or {}).get(KEY)), late) else \
            api.pages("kms", "list_resource_tags", TAGS, KeyId=key)
        asked = given(wanted.get(cls.tags_of(item).get(KEY)))
        if "policy" in asked:
            item["Policy"] = api.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        if "enable_key_rotation" in asked and item["KeyState"] != "PendingDeletion":
            status = api.kms.get_key_rotation_status(KeyId=key)
            item.update({n: status.get(n) for n in ("KeyRotationEnabled", "RotationPeriodInDays")})
        return item

    def params(self):
        policy = {"Policy": policies.text(self.policy)} if self.policy else {}
        return {**super().params(), **policy}

    def tagging(self):
        return {"Tags": pairs(self.tags, "TagKey", "TagValue")} if self.tags else {}

    @updates("description")
    def describe(self, api, live):
        """Changes the description."""
        api.kms.update_key_description(KeyId=live["KeyId"], Description=self.description)

    @updates("policy")
    def allow(self, api, live):
        """Who may use and who may administer the key."""
        api.kms.put_key_policy(KeyId=live["KeyId"], PolicyName="default",
                               Policy=policies.text(self.policy))

    @updates("enable_key_rotation", "rotation_period_in_days")
    def rotate(self, api, live):
        """New key material at intervals; what the old has encrypted stays readable."""
        if self.enable_key_rotation:
            period = self.rotation_period_in_days
            api.kms.enable_key_rotation(
                KeyId=live["KeyId"], **({"RotationPeriodInDays": period} if period else {}))
        elif live.get("KeyRotationEnabled"):
            api.kms.disable_key_rotation(KeyId=live["KeyId"])

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.kms.tag_resource(KeyId=live["KeyId"], **self.tagging())

    def delete(self, api, live):
        window = self.deletion_window_in_days
        api.kms.schedule_key_deletion(
            KeyId=live["KeyId"], **({"PendingWindowInDays": window} if window else {}))


class Alias(Declared):
    """The name of a key. Another key behind it is a replacement: who uses it must know."""

    alias_name: str = create_only("AliasName")
    key_id: Key = create_only("TargetKeyId")

    service, ref, identity, member_of = "kms", "AliasName", ("alias_name",), "key_id"
    reads = ("list_aliases", "Aliases")
    creates, deletes = ("create_alias", ""), ("delete_alias", "AliasName")
    delete_first = True
    outputs = {"name": "AliasName"}

    def create(self, api):
        api.kms.create_alias(AliasName=self.alias_name, TargetKeyId=self.key_id)
        return {"AliasName": self.alias_name, "TargetKeyId": self.key_id}
