# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long a token of EKS is used."""
from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

from ansible_collections.groundwork.aws.plugins.module_utils.clients import eks_token


def test_other_programs_get_a_new_one(tmp_path, monkeypatch):
    """They may run for as long as it is good; our own requests share one for ten minutes."""
    numbers, now = itertools.count(1), [0]
    monkeypatch.setattr(eks_token, "eks_token", lambda *_of: f"token-{next(numbers)}")
    monkeypatch.setattr(eks_token, "_context", lambda _authority: None)
    aws = SimpleNamespace(session=None, region="eu-central-1",
                          clock=SimpleNamespace(now=lambda: now[0]))
    found = eks_token.from_eks(aws, {"name": "a", "endpoint": "https://a.example",
                                     "certificateAuthority": {"data": ""}})

    def given() -> str:
        path, _context = found.kubeconfig(str(tmp_path))
        with open(path, encoding="utf-8") as file:
            return json.load(file)["users"][0]["user"]["token"]

    assert [found.headers()["Authorization"] for _turn in "ab"] == ["Bearer token-1"] * 2
    now[0] = 599
    assert (given(), given()) == ("token-2", "token-3")
    assert found.headers()["Authorization"] == "Bearer token-1"
