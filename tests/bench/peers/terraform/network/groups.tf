# Security groups with each rule a resource of its own.
locals {
  groups = {
    alb        = "Load balancer, open to the internet"
    nodes      = "Worker nodes"
    rds        = "Aurora, reached by the nodes only"
    redis-dev  = "Redis of dev, reached by the nodes only"
    redis-prod = "Redis of prod, reached by the nodes only"
    efs        = "Shared models, reached by the nodes only"
  }
  node_tags = {
    "kubernetes.io/cluster/pingvas-shared-eks" = "owned"
    "karpenter.sh/discovery"                   = "pingvas-shared-eks"
  }
  ingress = {
    alb-http         = { group = "alb", from = 80, to = 80, cidr = "0.0.0.0/0", note = "HTTP from anywhere" }
    alb-https        = { group = "alb", from = 443, to = 443, cidr = "0.0.0.0/0", note = "HTTPS from anywhere" }
    nodes-services   = { group = "nodes", from = 8001, to = 8005, source = "alb", note = "Five services" }
    rds-postgresql   = { group = "rds", from = 5432, to = 5432, source = "nodes", note = "PostgreSQL from the nodes" }
    redis-dev-redis  = { group = "redis-dev", from = 6379, to = 6379, source = "nodes", note = "Redis from the nodes" }
    redis-prod-redis = { group = "redis-prod", from = 6379, to = 6379, source = "nodes", note = "Redis from the nodes" }
    efs-nfs          = { group = "efs", from = 2049, to = 2049, source = "nodes", note = "NFS from the nodes" }
  }
}

resource "aws_security_group" "all" {
  for_each    = local.groups
  name        = "pingvas-shared-sg-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.main.id
  tags = merge(
    { Name = "pingvas-shared-sg-${each.key}" },
    each.key == "nodes" ? local.node_tags : {},
  )
}

resource "aws_vpc_security_group_ingress_rule" "all" {
  for_each                     = local.ingress
  security_group_id            = aws_security_group.all[each.value.group].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.from
  to_port                      = each.value.to
  cidr_ipv4                    = lookup(each.value, "cidr", null)
  referenced_security_group_id = try(aws_security_group.all[each.value.source].id, null)
  description                  = each.value.note
}

resource "aws_vpc_security_group_ingress_rule" "pods" {
  security_group_id            = aws_security_group.all["nodes"].id
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.all["nodes"].id
  description                  = "Pod to pod"
}

resource "aws_vpc_security_group_egress_rule" "services" {
  security_group_id            = aws_security_group.all["alb"].id
  ip_protocol                  = "tcp"
  from_port                    = 8001
  to_port                      = 8005
  referenced_security_group_id = aws_security_group.all["nodes"].id
  description                  = "To the five services"
}

resource "aws_vpc_security_group_egress_rule" "everything" {
  security_group_id = aws_security_group.all["nodes"].id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Everything outbound"
}
