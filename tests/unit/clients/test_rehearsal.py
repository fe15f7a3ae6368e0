# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan rehearses is what the run then sends, as far as it is known."""
from __future__ import annotations

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import rehearsal
from tests.world import World, actions, cases


@pytest.mark.parametrize("name", [
    "elasticache: a primary with a replica, encrypted, with AUTH", "eks_nodegroups: every option"])
def test_what_is_told_is_what_is_sent(name, monkeypatch):
    told, world = [], World()
    refused = rehearsal._refused
    monkeypatch.setattr(rehearsal, "_refused", lambda call: told.append(call) or refused(call))
    made = actions(world.run(dict(cases())[name]["options"]))
    known = [call for call in told if rehearsal.STAND_IN not in repr(call.params)]
    assert len(told) >= len(made) and known
    for call in known:
        sent = world.asked[f"{call.model.service_model.service_name}.{call.model.name}"]
        assert any(call.params.items() <= params.items() for params in sent), call.params
