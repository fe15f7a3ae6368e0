# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The quick reader of botocore's models finds what botocore's own finds."""
from __future__ import annotations

import boto3
import botocore.exceptions
import botocore.loaders
import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import models


def session():
    found = boto3.session.Session(region_name="us-east-1", aws_access_key_id="a",
                                  aws_secret_access_key="b")
    models.quicken(found)
    return found


def test_models_are_those_of_botocore():
    own, other = models.models(), botocore.loaders.create_loader()
    for service, kind in (("sqs", "service-2"), ("ecr", "paginators-1"), ("s3", "service-2")):
        assert own.load_service_model(service, kind) == other.load_service_model(service, kind)
    assert set(other.list_available_services("service-2")) <= \
        set(own.list_available_services("service-2"))


def test_clients_are_made_of_them():
    client = session().client("sqs")
    assert client.can_paginate("list_queues") and "ListQueues" in \
        client.meta.service_model.operation_names
    assert models.models().load_service_model("sqs", "service-2") is \
        client.meta.service_model._service_description


def test_a_service_that_is_not_there_is_refused_as_ever():
    with pytest.raises(botocore.exceptions.UnknownServiceError):
        session().client("no-such-service")


def test_folders_of_the_user_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    models.models.cache_clear()
    try:
        session()
        assert models.models().search_paths[0] == str(tmp_path)
    finally:
        models.models.cache_clear()
