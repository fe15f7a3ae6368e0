"""A snapshot of the lab is an account as it was."""

import boto3

from lab.aws import Lab


def client(lab, service):
    session = boto3.session.Session(aws_access_key_id="LAB0123456789012",
                                    aws_secret_access_key="x", region_name="us-east-1")
    return lab.attach(session).client(service)


def test_what_happens_afterwards_is_not_in_it():
    lab = Lab()
    client(lab, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    client(lab, "s3").create_bucket(Bucket="kept")
    before, snapshot = lab.inventory(), lab.snapshot()
    client(lab, "ec2").create_vpc(CidrBlock="10.1.0.0/16")
    client(lab, "s3").delete_bucket(Bucket="kept")
    assert lab.inventory() != before
    other = Lab()
    for _again in range(2):
        other.restore(snapshot)
        assert other.inventory() == before
        client(other, "s3").delete_bucket(Bucket="kept")
        client(other, "s3").create_bucket(Bucket="more")


def test_what_is_under_way_comes_to_its_end():
    lab = Lab({"time_scale": 1})
    ec2 = client(lab, "ec2")
    subnet = ec2.create_subnet(
        VpcId=ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"], CidrBlock="10.0.0.0/24")
    gateway = ec2.create_nat_gateway(SubnetId=subnet["Subnet"]["SubnetId"],
                                     ConnectivityType="private")["NatGateway"]
    assert gateway["State"] == "pending"
    lab.restore(lab.snapshot())
    assert ec2.describe_nat_gateways()["NatGateways"][0]["State"] == "available"
