# The network of pingvas and its security groups: the objects of inventories/platform.
locals {
  zones   = toset(["a", "b", "c"])
  number  = { a = 1, b = 2, c = 3 }
  cluster = "pingvas-shared-eks"
}

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "pingvas-shared-vpc-main" }
}

resource "aws_subnet" "public" {
  for_each          = local.zones
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.${local.number[each.key]}.0/24"
  availability_zone = "us-east-1${each.key}"
  tags = {
    Name                     = "pingvas-shared-subnet-public-${each.key}"
    "kubernetes.io/role/elb" = "1"
  }
}

resource "aws_subnet" "private" {
  for_each          = local.zones
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.${local.number[each.key] + 10}.0/24"
  availability_zone = "us-east-1${each.key}"
  tags = {
    Name                              = "pingvas-shared-subnet-private-${each.key}"
    "kubernetes.io/role/internal-elb" = "1"
    "karpenter.sh/discovery"          = local.cluster
  }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "pingvas-shared-internet-gateway-main" }
}

resource "aws_eip" "nat" {
  domain = "vpc"
  tags   = { Name = "pingvas-shared-elastic-ip-nat-a" }
}

resource "aws_nat_gateway" "a" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public["a"].id
  depends_on    = [aws_internet_gateway.main]
  tags          = { Name = "pingvas-shared-nat-gateway-a" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "pingvas-shared-route-table-public" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each       = local.zones
  route_table_id = aws_route_table.public.id
  subnet_id      = aws_subnet.public[each.key].id
}

resource "aws_route_table" "private" {
  for_each = local.zones
  vpc_id   = aws_vpc.main.id
  tags     = { Name = "pingvas-shared-route-table-private-${each.key}" }
}

resource "aws_route" "private" {
  for_each               = local.zones
  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.a.id
}

resource "aws_route_table_association" "private" {
  for_each       = local.zones
  route_table_id = aws_route_table.private[each.key].id
  subnet_id      = aws_subnet.private[each.key].id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.main.id
  service_name    = "com.amazonaws.us-east-1.s3"
  route_table_ids = concat([aws_route_table.public.id], values(aws_route_table.private)[*].id)
  tags            = { Name = "pingvas-shared-vpc-endpoint-s3" }
}
