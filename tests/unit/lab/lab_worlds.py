# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab with a clock of its own, and small worlds that refusal cases start from; each returns
the names that a case may use."""
from __future__ import annotations

import json

import boto3

from lab.aws import Lab

ACCOUNT, REGION = "111122223333", "us-east-1"


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Aws:
    """A lab, its clock, and clients by name."""

    def __init__(self, **settings):
        self.clock = Clock()
        self.lab = Lab(settings, clock=self.clock, sleep=self.clock.sleep)
        self.clients = {}

    def session(self, key=f"LAB0{ACCOUNT}", region=REGION):
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="lab",
                                region_name=region)
        return self.lab.attach(session)

    def __call__(self, service):
        if service not in self.clients:
            self.clients[service] = self.session().client(service)
        return self.clients[service]

    def after(self, seconds):
        self.clock.now += seconds


TAGS = [{"Key": "team", "Value": "a"}]


def trust(service):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})


def role(aws, name, service, policy=None):
    arn = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))[
        "Role"]["Arn"]
    if policy:
        aws("iam").attach_role_policy(RoleName=name,
                                      PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return arn


def network(aws):
    """A VPC with gateway, NAT, endpoint, group, table and four subnets in two zones."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24",
                                 AvailabilityZone=f"us-east-1{'ab'[n % 2]}")["Subnet"]["SubnetId"]
               for n in range(4)]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eip = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=eip)["NatGateway"][
        "NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    referring = ec2.create_security_group(GroupName="h", Description="d", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=referring, IpPermissions=[
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3",
                            RouteTableIds=[table])
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.sts",
                            VpcEndpointType="Interface", SubnetIds=subnets[:2],
                            SecurityGroupIds=[group])
    other_vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    defaults = ec2.describe_security_groups(Filters=[
        {"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}])
    return {"vpc": vpc, "subnet_a": subnets[0], "subnet_b": subnets[1], "subnet_a2": subnets[2],
            "igw": igw, "eip": eip, "nat": nat, "table": table, "other_table": other,
            "group": group, "other_vpc": other_vpc,
            "default_group": defaults["SecurityGroups"][0]["GroupId"]}


def roles(aws):
    """Roles, a policy of ours in use, a profile."""
    iam = aws("iam")
    text = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
    policy = iam.create_policy(PolicyName="p", PolicyDocument=text)["Policy"]["Arn"]
    arn = role(aws, "r", "ec2.amazonaws.com")
    iam.attach_role_policy(RoleName="r", PolicyArn=policy)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    return {"policy": policy, "role": arn, "document": text, "trust": trust("ec2.amazonaws.com"),
            "trust_nobody": trust("x").replace('"Service": "x"',
                                               f'"AWS": "{arn.replace("role/r", "role/none")}"')}


def cluster(aws, version="1.34"):
    """An EKS cluster with a node group, on the network."""
    names = network(aws)
    names["cluster_role"] = role(aws, "c", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
    names["node_role"] = role(aws, "n", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
    names["bare_role"] = role(aws, "b", "eks.amazonaws.com")
    eks, pair = aws("eks"), [names["subnet_a"], names["subnet_b"]]
    eks.create_cluster(name="live", version=version, roleArn=names["cluster_role"],
                       resourcesVpcConfig={"subnetIds": pair},
                       accessConfig={"authenticationMode": "API"})
    eks.create_nodegroup(clusterName="live", nodegroupName="n1", subnets=pair,
                         nodeRole=names["node_role"])
    eks.create_addon(clusterName="live", addonName="vpc-cni")
    template = aws("ec2").create_launch_template(
        LaunchTemplateName="template", LaunchTemplateData={"InstanceType": "t3.medium"})
    eks.describe_cluster(name="live")
    return {**names, "template": template["LaunchTemplate"]["LaunchTemplateId"]}


def busy_cluster(aws):
    """The cluster in the middle of an update."""
    names = cluster(aws)
    aws.lab.set(time_scale=1)
    aws("eks").update_cluster_version(name="live", version="1.35")
    return names


def databases(aws):
    """An Aurora cluster with a writer, and its groups."""
    names, rds = network(aws), aws("rds")
    pair = [names["subnet_a"], names["subnet_b"]]
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=pair)
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="p", DBParameterGroupFamily="aurora-postgresql15",
        Description="d")
    rds.create_db_cluster(
        DBClusterIdentifier="live", Engine="aurora-postgresql", EngineVersion="15.10",
        MasterUsername="app", ManageMasterUserPassword=True, DBSubnetGroupName="g",
        DBClusterParameterGroupName="p", DeletionProtection=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4})
    rds.create_db_instance(DBInstanceIdentifier="one", DBClusterIdentifier="live",
                           Engine="aurora-postgresql", DBInstanceClass="db.serverless")
    return names


def caches(aws):
    """A replication group, a single node, and their groups."""
    names, cache = network(aws), aws("elasticache")
    cache.create_cache_subnet_group(CacheSubnetGroupName="g", CacheSubnetGroupDescription="d",
                                    SubnetIds=[names["subnet_a"], names["subnet_b"]])
    cache.create_cache_parameter_group(CacheParameterGroupName="p", Description="d",
                                       CacheParameterGroupFamily="redis7")
    cache.create_cache_cluster(CacheClusterId="one", Engine="redis", EngineVersion="7.1",
                               CacheNodeType="cache.t4g.medium", NumCacheNodes=1,
                               CacheSubnetGroupName="g", CacheParameterGroupName="p")
    return names


def storage(aws):
    """A bucket with an object, a file system with a mount target, a key, a queue, a secret."""
    names = network(aws)
    aws("s3").create_bucket(Bucket="bucket-one")
    tag = aws("s3").put_object(Bucket="bucket-one", Key="lease", Body=b"1")["ETag"]
    aws("s3").put_object(Bucket="bucket-one", Key="lease", Body=b"2", IfMatch=tag)
    files = aws("efs").create_file_system(CreationToken="t")["FileSystemId"]
    aws("efs").create_mount_target(FileSystemId=files, SubnetId=names["subnet_a"])
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]
    aws("sqs").create_queue(QueueName="q")
    aws("secretsmanager").create_secret(Name="gone", SecretString="x")
    aws("secretsmanager").delete_secret(SecretId="gone", RecoveryWindowInDays=7)
    aws("logs").create_log_group(logGroupName="/log")
    aws("events").put_rule(Name="rule", EventPattern='{"source": ["aws.ec2"]}')
    aws("events").put_targets(Rule="rule", Targets=[
        {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:111122223333:q"}])
    aws("ecr").create_repository(repositoryName="repo")
    return {**names, "files": files, "key": key, "old_etag": tag}


def nothing(aws):
    return {}
