#!/usr/bin/env python3
"""Inventory overlay: point every stack at the running lab, and its charts at the stand-ins."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".lab" / "state.json"
# Of the endpoint that the stack has in the end: it may be another lab's.
SETTINGS = ("(lookup('url', aws_endpoint_url ~ '/_lab/settings', split_lines=false, "
            "use_proxy=false) | from_json)")
WHY = ("this lab has no real clusters, for want of control planes; build them with "
       "'.venv/bin/python -m lab.kube' (about 8 minutes), then start a lab again")
WHY_NO_DATABASE = ("this lab has no PostgreSQL; as root: apt-get install postgresql, then start a "
                   "lab again")
# Variable of a role -> the stand-in in lab/charts for the vendor's chart.
CHARTS = {
    "autoscaling_cluster_autoscaler_chart": "cluster-autoscaler",
    "autoscaling_karpenter_chart": "karpenter",
    "autoscaling_metrics_server_chart": "metrics-server",
    "gpu_chart": "nvidia-device-plugin",
    "ingress_chart": "aws-load-balancer-controller",
}


def variables(endpoint):
    charts = {name: str(ROOT / "lab" / "charts" / chart) for name, chart in CHARTS.items()}
    return {
        "aws_endpoint_url": endpoint,
        # the lab reads the account out of the access key
        "aws_access_key": "LAB0{{ aws_account_id }}",
        "aws_secret_key": "emulated-secret-key",
        # not those of the environment, which belong to another key
        "aws_session_token": "",
        "aws_profile": "",
        "stack_roles_skipped": f'{{{{ "" if {SETTINGS}.kubernetes else "{WHY}" }}}}',
        "postgres_tenancy_skipped":
            f'{{{{ "" if {SETTINGS}.postgresql else "{WHY_NO_DATABASE}" }}}}',
        **charts,
        **{f"{name}_repo": "" for name in charts},
        **helm(),
    }


def helm():
    """The lab's own Helm, where it is built."""
    sys.path.insert(0, str(ROOT))
    from lab.kube.build import built
    found = built("helm")
    return {"stack_helm_binary": str(found["helm"])} if found else {}


def main():
    if "--host" in sys.argv:
        print("{}")
        return 0
    try:
        endpoint = json.loads(STATE.read_text())["endpoint"]
    except (OSError, ValueError, KeyError):
        # Not a return code: ansible would warn, drop this overlay and go on to the real AWS.
        endpoint = "{{ undef(hint='the lab is not running: start it with: make lab') }}"
    print(json.dumps({"all": {"vars": variables(endpoint)}, "_meta": {"hostvars": {}}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
