# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS refuses, the lab refuses, with AWS's code. A case is a line in refusals.yml."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from botocore.exceptions import ClientError
from tests.unit.lab import lab_worlds as worlds
from tests.unit.lab.lab_worlds import Aws

from lab.aws import Lab

CASES = [(world, case) for world, cases in yaml.safe_load(
    (Path(__file__).parent / "refusals.yml").read_text()).items() for case in cases]
BUILT = {}


def world_of(name):
    """A refusal changes nothing, so the cases of a world share it, one after the other."""
    if name not in BUILT or Lab.current is not BUILT[name][0].lab:
        BUILT.clear()  # moto's objects are per process
        aws = Aws()
        names = getattr(worlds, name)(aws)
        BUILT[name] = (aws, names)
    return BUILT[name]


@pytest.fixture(scope="module", autouse=True)
def fresh():
    BUILT.clear()
    yield
    BUILT.clear()


def filled(value, names):
    """$name in a case is an id of the world."""
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, str) and value.startswith("$") and value[1:] in names:
        return names[value[1:]]
    return value


@pytest.mark.parametrize(("world", "case"), CASES, ids=[
    f"{world}-{case['call']}-{case['is']}-{number}"
    for number, (world, case) in enumerate(CASES)])
def test_refused(world, case):
    aws, names = world_of(world)
    service, operation = case["call"].split(".")
    before = aws.lab.inventory()
    with pytest.raises(ClientError) as refused:
        getattr(aws(service), operation)(**filled(case["with"], names))
    error = refused.value.response["Error"]
    assert error["Code"] == case["is"], error["Message"]
    assert case.get("says", "") in error["Message"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert aws.lab.inventory() == before
    assert not aws.lab.missing
