# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters. That PostgreSQL takes a verifier is tried in tests/integration/postgres_tenancy."""
from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.aws.plugins.filter.scram_sha_256 import scram_sha_256


def test_a_verifier_does_not_tell_the_password():
    found = {scram_sha_256("canary") for _time in range(2)}
    assert len(found) == 2
    for verifier in found:
        assert re.fullmatch(r"SCRAM-SHA-256\$4096:[\w+/]{22}==\$[\w+/]{43}=:[\w+/]{43}=", verifier)


@pytest.mark.parametrize("password", ["", "\u00fc", None])
def test_what_is_no_password(password):
    with pytest.raises(AnsibleFilterError, match="ASCII"):
        scram_sha_256(password)
