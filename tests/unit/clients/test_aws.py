# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clients: all pages of a read, rates that are kept, and no write in a plan."""
from __future__ import annotations

import io
import json

import boto3
import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import aws
from ansible_collections.groundwork.aws.plugins.module_utils.clients.throttle import Throttle
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import (
    Ambiguous, Denied, Throttled,
)
from botocore.awsrequest import AWSResponse

SERVER, RATE = (500, "InternalFailure"), (400, "ThrottlingException")


class Instant:
    """A clock whose time passes only by sleeping."""

    def __init__(self):
        self.time, self.slept = 0.0, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds
        self.slept.append(seconds)

    def jitter(self, seconds):
        return seconds


class Raw(io.BytesIO):
    """As much of a connection as botocore reads."""

    def stream(self, **_options):
        yield self.read()


class Endpoint:
    """Answers requests in turn with data, or with the status and code of an error."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        session = boto3.session.Session("key", "secret", region_name="us-east-1")
        session._session.get_component("event_emitter").register_last("before-send", self.answer)
        self.clock = Instant()
        self.api = aws.Aws(session, "acme-test", clock=self.clock, region_name="us-east-1",
                           endpoint_url="http://localhost:9")  # where nobody listens

    def answer(self, request, **_event):
        self.requests.append(json.loads(request.body))
        found = self.answers.pop(0)
        status, code = found if isinstance(found, tuple) else (200, "")
        body = {"__type": code} if code else found
        return AWSResponse(request.url, status, {}, Raw(json.dumps(body).encode()))

    def groups(self):
        return self.api.pages("logs", "describe_log_groups", "logGroups[].logGroupName")


def page(*names, more=""):
    return {"logGroups": [{"logGroupName": n} for n in names],
            **({"nextToken": more} if more else {})}


def test_all_pages_are_read():
    endpoint = Endpoint(page("a", "b", more="next"), page(more="last"), page("c"))
    assert endpoint.groups() == ["a", "b", "c"]
    assert endpoint.requests == [{}, {"nextToken": "next"}, {"nextToken": "last"}]
    assert endpoint.api.counts == {"reads": 3, "writes": 0}


def test_a_page_that_fails_fails_the_whole_listing():
    """Half a listing would be taken for "the rest is not there"."""
    endpoint = Endpoint(page("a", more="next"), (403, "AccessDeniedException"))
    with pytest.raises(Denied):
        endpoint.groups()


def test_a_page_is_asked_again():
    endpoint = Endpoint(page("a", more="next"), SERVER, RATE, page("b"))
    assert endpoint.groups() == ["a", "b"]
    assert endpoint.requests[1:] == [{"nextToken": "next"}] * 3
    assert endpoint.clock.slept == [0.2, 0.4]


def test_a_read_is_not_asked_again_for_ever():
    endpoint = Endpoint(*[SERVER] * 9)
    with pytest.raises(Ambiguous):
        endpoint.groups()
    assert len(endpoint.requests) == aws.ATTEMPTS


def test_a_write_is_repeated_only_when_it_had_no_effect():
    endpoint = Endpoint(RATE, SERVER, {})
    endpoint.api.read_only = False
    with pytest.raises(Ambiguous):
        endpoint.api.logs.create_log_group(logGroupName="a")
    assert len(endpoint.requests) == 2
    endpoint.api.logs.create_log_group(logGroupName="a")
    assert endpoint.api.counts == {"reads": 0, "writes": 3}


@pytest.mark.parametrize(("service", "method", "given"), [
    ("logs", "create_log_group", {"logGroupName": "a"}),
    ("ecr", "batch_delete_image", {"repositoryName": "acme", "imageIds": [{"imageTag": "b"}]}),
    ("secretsmanager", "get_random_password", {}),
])
def test_a_plan_cannot_write(service, method, given):
    endpoint = Endpoint({}, {})
    call = getattr(getattr(endpoint.api, service), method)
    with pytest.raises(aws.WriteRefused):
        call(**given)
    assert not endpoint.requests
    endpoint.api.read_only = False
    call(**given)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(("operation", "read"), [
    ("DescribeVpcs", True), ("BatchGetImage", True), ("BatchGetSecretValue", True),
    ("BatchCheckLayerAvailability", True), ("BatchDeleteImage", False),
    ("BatchPutMessage", False), ("GetRandomPassword", False), ("PutObject", False),
])
def test_reads_are_told_by_their_names(operation, read):
    assert aws.is_read(operation) == read


# ---- rates -------------------------------------------------------------------------------------

def test_calls_wait_at_the_published_rate():
    """CreateVpcEndpoint: a bucket of 4, refilled by 0.3 a second."""
    clock = Instant()
    throttle = Throttle(clock)
    for _turn in range(4):
        throttle.wait("ec2", "CreateVpcEndpoint")
    assert not clock.slept
    throttle.wait("ec2", "CreateVpcEndpoint")
    throttle.wait("ec2", "CreateVpcEndpoint")
    assert clock.slept == pytest.approx([1 / 0.3, 1 / 0.3])


def test_a_bucket_fills_again_and_not_above_its_size():
    clock = Instant()
    throttle = Throttle(clock)
    for _turn in range(4):
        throttle.wait("ec2", "CreateVpcEndpoint")
    clock.time += 1000
    for _turn in range(4):
        throttle.wait("ec2", "CreateVpcEndpoint")
    assert not clock.slept
    throttle.wait("ec2", "CreateVpcEndpoint")
    assert clock.slept


@pytest.mark.parametrize(("service", "together"), [("ec2", False), ("rds", True)])
def test_actions_have_buckets_of_their_own(service, together):
    """But for RDS, where all calls of an account share one of 300."""
    clock = Instant()
    throttle = Throttle(clock)
    for _turn in range(300 if together else 50):
        throttle.wait(service, "CreateThis")
    throttle.wait(service, "CreateThat")
    assert bool(clock.slept) == together


def test_every_attempt_takes_a_token():
    endpoint = Endpoint(SERVER, RATE, page("a"))
    taken = []
    endpoint.api.throttle.wait = lambda *action: taken.append(action)
    endpoint.groups()
    assert taken == [("logs", "DescribeLogGroups")] * 3


def test_throttled_to_the_end():
    endpoint = Endpoint(*[RATE] * 9)
    with pytest.raises(Throttled):
        endpoint.groups()
