# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Callers besides the account's own key: IAM users and assumed roles."""
from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.unit.lab.lab_worlds import ACCOUNT, REGION, role, trust


def session(aws, made):
    return aws.lab.attach(boto3.Session(
        made["AccessKeyId"], made["SecretAccessKey"], made.get("SessionToken"), REGION))


def user(aws, name):
    aws("iam").create_user(UserName=name)
    return session(aws, aws("iam").create_access_key(UserName=name)["AccessKey"])


def who(made):
    return made.client("sts").get_caller_identity()


def test_a_user_is_himself_in_his_account(aws):
    made = user(aws, "ann")
    assert who(made)["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann"
    aws("ec2").create_vpc(CidrBlock="10.99.0.0/16")
    found = made.client("ec2").describe_vpcs(Filters=[{"Name": "cidr",
                                                       "Values": ["10.99.0.0/16"]}])
    assert len(found["Vpcs"]) == 1


def test_an_inactive_key_is_unknown(aws):
    made = user(aws, "ann")
    aws("iam").update_access_key(UserName="ann", Status="Inactive",
                                 AccessKeyId=made.get_credentials().access_key)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        who(made)


def test_a_role_is_assumed_by_whom_it_trusts(aws):
    ann, bob = user(aws, "ann"), user(aws, "bob")
    text = trust("x").replace('"Service": "x"', f'"AWS": "arn:aws:iam::{ACCOUNT}:user/ann"')
    arn = aws("iam").create_role(RoleName="builder", Path="/team/",
                                 AssumeRolePolicyDocument=text)["Role"]["Arn"]
    made = ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="day")["Credentials"]
    assert who(session(aws, made))["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/builder/day"
    with pytest.raises(ClientError, match="user/bob is not authorized to perform: sts:AssumeRole"):
        bob.client("sts").assume_role(RoleArn=arn, RoleSessionName="day")


def test_a_role_that_is_not_there_or_trusts_a_service_is_refused(aws):
    for arn in (f"arn:aws:iam::{ACCOUNT}:role/none", role(aws, "s", "ec2.amazonaws.com")):
        with pytest.raises(ClientError, match="AccessDenied"):
            aws("sts").assume_role(RoleArn=arn, RoleSessionName="day")
