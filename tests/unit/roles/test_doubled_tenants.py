# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tenants of a database that SQL takes for one are refused before anything is asked."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_tenants_of_one_name_or_schema(tmp_path):
    play, tenants = tmp_path / "play.yml", [
        {"name": "dev"}, {"name": "Dev"}, {"name": "dev"}, {"name": "prod"},
        {"name": "other", "schema": "prod"}]
    play.write_text(json.dumps([{
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "vars": {"postgres_tenancy_database": "shop", "postgres_tenancy_admin_secret": "acme/a",
                 "stack_result": {"outputs": {"aurora_cluster/db_cluster/main": {
                     "endpoint": "w", "reader_endpoint": "r", "port": 5432,
                     "master_user_secret_arn": "m"}}},
                 "postgres_tenancy_skipped": "it must not be asked",
                 "postgres_tenancy_tenants": [{"secret": "acme/t", **t} for t in tenants],
                 "stack_applyset": {"state": "present"}},
        "tasks": [{"ansible.builtin.include_role": {"name": "groundwork.aws.postgres_tenancy"}}]}]))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_"))}
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", play],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=100,
        cwd=ROOT, env={**kept, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")})
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2
    for text in ("dev and Dev are one name; give each tenant its own", "dev and dev are one name",
                 "prod and other have one schema, prod; give each tenant its own"):
        assert f"postgres_tenancy_tenants: {text}" in said, said
    assert "left out" not in said
