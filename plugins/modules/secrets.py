#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.secrets."""
from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Secrets whose values nobody sees
version_added: 0.1.0
description:
  - Plans and converges the secrets of a stack. Passwords are made by AWS's own generator at
    creation, certificates by the module, and go straight into Secrets Manager; no plan, log or
    message holds one. No later run changes one, but for certificates that are to be renewed.
  - A secret holds data. It is replaced or removed only when O(allow_data_loss) names it, or when
    its option C(deletion_protection) is switched off. One of the stack's own that waits for its
    removal is taken back, with its old value, when it is wanted again.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  secrets:
    description:
      - Name in the stack to options of the secret. Its key is C(secrets/secret/NAME).
      - C(name) (string, default C(STACK/NAME)) is its name in AWS. It can only be changed by a
        replacement.
      - C(description) (string) says what it is for.
      - C(kms_key) (string) is the name of a key in M(groundwork.aws.kms_keys), or an ARN. Not set
        means left as it is, which is the account's own for a new secret.
      - C(generate) (boolean, default V(true)); V(false) makes a secret without a value, for
        somebody to put in.
      - C(generate_secret_string) (dictionary) says how the value is made, which matters at
        creation only. It has C(password_length) (default V(32)), C(exclude_characters) (string),
        C(exclude_numbers), C(exclude_punctuation), C(exclude_uppercase), C(exclude_lowercase),
        C(include_space) and C(require_each_included_type) (booleans). With
        C(generate_string_key) (string) the value is a JSON object, C(secret_string_template)
        (dictionary) with the password under that name. The template is shown in plans; it is no
        place for secrets.
      - C(generate_certificate) (dictionary) makes, instead, a certificate for servers of
        C(dns_names) (list, required) that is valid for C(days) (default V(3650)). The value is a
        JSON object of C(ca.crt), C(tls.crt) and C(tls.key). The authority signs this one
        certificate, and its key is kept nowhere. It needs the Python library cryptography.
        When less than a third of its days is left, or C(dns_names) are others, the plan has an
        update that makes another one; C(ca.crt) then also holds the former authority, so that
        servers can follow one after the other. The tag C(groundwork:certificate), which is also an
        output, says when it ends. No plan reads the secret for that.
      - C(recovery_window_in_days) (7 to 30, default V(30), or 0 for none) is how long a removed
        secret may be taken back. Without one its name is free at once.
      - C(deletion_protection) (boolean, default V(true)) keeps the secret when the stack is
        removed, until O(allow_data_loss) names it. It is the collection's own, AWS knows no such
        switch.
      - C(tags) (dictionary) are further tags.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: A token, a login for the database, a certificate, and a key that is put in by hand
  groundwork.aws.secrets:
    product: pingvas
    environment: shared
    region: us-east-1
    secrets:
      prod/jwt-signing:
        generate_secret_string: {password_length: 64, exclude_punctuation: true}
      prod/database:
        generate_secret_string:
          secret_string_template: {username: prod_pingvas, dbname: pingvas}
          generate_string_key: password
          exclude_punctuation: true
      prod/redis-tls:
        generate_certificate:
          dns_names: [redis-sentinel, "*.redis.prod.svc.cluster.local"]
      prod/lemon-squeezy:
        description: Its value is put in by hand
        generate: false
"""

RETURN = r"""
stack:
  description: Name of the stack.
  returned: whenever a plan could be made
  type: str
  sample: sentineltranslate-dev
plan:
  description: What the run does, or in check mode would do, in the order of the graph.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    key: {description: "Key of the object, C(component/type/name).", type: str}
    type: {description: Type of the object., type: str}
    action: {description: "One of create, update, replace, delete, keep.", type: str}
    impact:
      description: "One of none, in place, rolling, replace, downtime, data loss."
      type: str
    expected_seconds: {description: How long AWS usually takes., type: int}
    before: {description: Live values of what changes., type: dict}
    after: {description: Wanted values of what changes., type: dict}
    unknown: {description: Fields that only the apply can tell., type: list, elements: str}
    reason: {description: Why an object that nobody changed is replaced or deleted., type: str}
    about: {description: "What is to be made, or how it is called that goes.", type: str}
summary:
  description: Number of objects per action.
  returned: whenever a plan could be made
  type: dict
  sample: {create: 45, update: 0, replace: 0, delete: 0, keep: 0}
left_over:
  description: Keys of objects that carry the stack's tags and are no longer wanted.
  returned: whenever a plan could be made
  type: list
  elements: str
outputs:
  description: What is worth knowing of each object, by key.
  returned: whenever a plan could be made
  type: dict
  sample: {"secrets/secret/jwt-signing": {name: pingvas-shared/jwt-signing}}
tags:
  description:
    - Tags of everything that belongs to the stack, for what controllers in its cluster make. Those
      of the stack, C(Project) and C(Environment).
  returned: whenever a plan could be made
  type: dict
  sample: {Project: sentineltranslate, Environment: dev, Owner: platform-team}
findings:
  description: What the validator found that did not stop the run.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    id: {description: Id of the finding., type: str}
    severity: {description: "V(error) when it is waived, else V(warning).", type: str}
    path: {description: Place in the options., type: str}
    message: {description: What is wrong., type: str}
    replacement: {description: What to write instead., type: str}
    waived: {description: Whether the stack waives it., type: bool}
calls:
  description: API calls of the run.
  returned: whenever a plan could be made
  type: dict
  sample: {reads: 12, writes: 0}
expected_seconds:
  description: How long the whole run usually takes.
  returned: whenever a plan could be made
  type: int
outcomes:
  description:
    - What became of each change, by its step; empty in check mode. Each has C(state) (V(done),
      V(failed) or V(skipped)), C(why) and C(seconds).
  returned: whenever a plan could be made
  type: dict
  sample: {secrets/secret/jwt-signing: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import secrets
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the secrets alone."""
    component_module("secrets", secrets)


if __name__ == "__main__":
    main()
