# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a caller may not list in a cluster is told, and never taken for gone."""
from __future__ import annotations

import types

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import servers
from ansible_collections.groundwork.aws.plugins.module_utils.clients.kubernetes import Served
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import (
    Credentials, Denied, Unreachable,
)

SERVICE = Served("", "v1", "Service", "services", True, ("list",))


class Server(servers.Server):
    """Answers what it is told to: objects or a failure."""

    def __init__(self, *_aws):
        self.notes, self._read, self.refused, self.answers = [], set(), set(), []
        self.connection = types.SimpleNamespace(name="EKS cluster a")

    def served(self, group, kind, version="", fresh=False):
        return SERVICE if kind == "Service" else None

    def pages(self, path, **query):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_cluster_whose_authority_cannot_be_read():
    """The words are ours: OpenSSL's name a line of its source."""
    aws = types.SimpleNamespace(servers={}, notes=[], session=None, region="us-east-1", clock=None)
    assert servers.server(aws, {"name": "a", "endpoint": "https://localhost:1",
                                "certificateAuthority": {"data": "bGFi"}}) is None
    assert aws.notes == [
        "EKS cluster a cannot be asked what is in it (DescribeCluster tells no certificate "
        f"authority that can be read); {servers.INSTEAD}"]


def test_objects_have_their_path():
    server = Server()
    server.answers = [[{"metadata": {"namespace": "ml", "name": "api"}}]]
    assert server.listed("", "Service")[0]["path"] == "/api/v1/namespaces/ml/services/api"
    assert server.listed("karpenter.sh", "NodePool") == []


def test_refused_at_first_is_told_once_and_left_unread():
    server = Server()
    server.answers = [Denied("Forbidden", "no")]
    assert server.listed("", "Service") == server.listed("", "Service") == []
    assert len(server.notes) == 1 and "Service may not be listed" in server.notes[0]


@pytest.mark.parametrize("failure", [Denied("Forbidden", "no"), Unreachable("Unreachable", "x")])
def test_refused_later_is_a_failure(failure):
    server = Server()
    server.answers = [[], failure]
    assert server.listed("", "Service") == []
    with pytest.raises(type(failure)):
        server.listed("", "Service")


@pytest.mark.parametrize("failure", [Credentials("Unauthorized", "no"), OSError("no CA")])
def test_a_cluster_is_tried_once(monkeypatch, failure):
    tried = []

    def refuse(aws, description):
        tried.append(description["name"])
        raise failure

    monkeypatch.setattr(servers, "Server", refuse)
    aws = types.SimpleNamespace(servers={}, notes=[], read_only=True)
    for _turn in range(2):
        assert servers.server(aws, {"name": "a"}) is None
    assert tried == ["a"] and len(aws.notes) == 1


def test_writes_as_the_run_may(monkeypatch):
    monkeypatch.setattr(servers, "Server", Server)
    aws = types.SimpleNamespace(servers={}, notes=[], read_only=True)
    assert servers.server(aws, {"name": "a"}).read_only is True
    aws.read_only = False
    assert servers.server(aws, {"name": "a"}).read_only is False
