# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A password as PostgreSQL keeps it."""
from __future__ import annotations

DOCUMENTATION = """
name: scram_sha_256
author: groundwork.aws contributors
version_added: 0.1.0
short_description: A password as PostgreSQL keeps it
description:
  - The SCRAM-SHA-256 verifier of a password, which C(ALTER ROLE ... PASSWORD) takes in place of the
    password, so that no log of the server can hold that.
options:
  _input: {description: "The password, of ASCII characters.", type: str, required: true}
"""

EXAMPLES = """
- name: A role with a password
  community.postgresql.postgresql_user:
    name: app
    password: "{{ app_password | groundwork.aws.scram_sha_256 }}"
"""

RETURN = """
_value: {description: "The verifier, with another salt each time.", type: str}
"""

import base64
import hashlib
import hmac
import os

from ansible.errors import AnsibleFilterError

# https://www.postgresql.org/docs/15/catalog-pg-authid.html, and its scram_iterations
ITERATIONS = 4096


def scram_sha_256(password: str) -> str:
    """`SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, of RFC 5803."""
    if not isinstance(password, str) or not password or not password.isascii():
        raise AnsibleFilterError("scram_sha_256: a password is ASCII text, and not empty")
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client, server = (hmac.digest(salted, name, "sha256")
                      for name in (b"Client Key", b"Server Key"))
    salt, stored, server = (base64.b64encode(part).decode() for part in (
        salt, hashlib.sha256(client).digest(), server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict:
        """Of this file."""
        return {"scram_sha_256": scram_sha_256}
