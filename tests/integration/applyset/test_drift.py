# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody changes in the cluster of a stack, and what the playbooks say and do about it."""
from __future__ import annotations

import json
import subprocess

import pytest
from tests.integration.test_playbooks import Lab
from tests.kube_world import plane

from lab.kube.build import built

pytestmark = pytest.mark.kube
KEY = "tenancy/resourcequota/dev:tenant"
STACK = {
    "stack_product": "acme", "stack_environment": "dev", "aws_region": "us-east-1",
    "aws_account_id": "123456789012", "stack_roles": ["tenancy"], "eks_cluster": {},
    "network": {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a", "us-east-1b"]},
    "tenancy_namespaces": [{"name": "dev", "resource_quota": {"pods": 10}}],
}


@pytest.fixture(name="lab")
def _lab(tmp_path):
    plane()  # skips where nothing is built
    lab = Lab(tmp_path / "lab", kubernetes=True)
    yield lab
    lab.stop()


def test_a_field_changed_by_hand(lab, tmp_path):
    """drift.yml says what differs and whose it is; site.yml takes it back by word alone."""
    inventory = tmp_path / "stacks.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"acme-dev": STACK}}}))

    def run(playbook: str, *words: str) -> tuple[int, str]:
        done = lab.run(playbook, "-i", str(inventory), *words)
        return done.returncode, done.stdout + done.stderr

    made = run("site")
    assert made[0] == 0, made[1]
    kubeconfig = lab.control("clusters")[0]["kubeconfig"]
    patch = json.dumps({"spec": {"hard": {"pods": "20"}}})
    subprocess.run([built("control")["control"], "kubectl", "--kubeconfig", kubeconfig, "patch",
                    "resourcequota/tenant", "-n=dev", "-p", patch],
                   check=True, capture_output=True)
    line = "spec.hard.pods 20 -> 10 (belongs to kubectl-patch)"
    word = f"take it over with force_conflicts: [{KEY}] (of a stack: stack_force_conflicts)"
    for playbook, code in (("plan", 0), ("drift", 2)):
        status, text = run(playbook)
        assert (status, line in text, word in " ".join(text.split())) == (code, True, True), text
    assert f"acme-dev has drifted:\n{KEY}" in text
    status, text = run("site")
    assert (status, word in text) == (2, True), text
    forced = run("site", "-e", json.dumps({"stack_force_conflicts": [KEY]}))
    assert (forced[0], "1 updated" in forced[1]) == (0, True), forced[1]
    assert run("drift")[0] == 0
