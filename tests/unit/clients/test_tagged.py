# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a type gets when it asks the tagging API for its kind."""
from __future__ import annotations

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients.aws import Aws

BUCKET, TOPIC = "arn:aws:s3:::logs", "arn:aws:sns:us-east-1:123456789012:alarms"
KEY, GROUP = (f"arn:aws:{rest}" for rest in (
    "kms:us-east-1:123456789012:key/1", "logs:us-east-1:123456789012:log-group:audit"))


@pytest.mark.parametrize(("kind", "found"), [
    ("", {BUCKET, TOPIC, KEY, GROUP}), ("s3", {BUCKET}), ("sns", {TOPIC}), ("kms:key", {KEY}),
    ("kms:alias", set()), ("logs:log-group", {GROUP}),
])
def test_kinds(kind, found):
    api = Aws(None, "acme-test")
    api._tagged = [{"ResourceARN": arn, "Tags": []} for arn in (BUCKET, TOPIC, KEY, GROUP)]
    assert set(api.tagged(kind)) == found
