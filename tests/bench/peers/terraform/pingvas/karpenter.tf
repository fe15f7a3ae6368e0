# Karpenter's roles, its queue and the events that fill it.
locals {
  events = {
    capacity-reservation  = { source = "aws.ec2", detail = "EC2 Capacity Reservation Instance Interruption Warning" }
    spot-interruption     = { source = "aws.ec2", detail = "EC2 Spot Instance Interruption Warning" }
    rebalance             = { source = "aws.ec2", detail = "EC2 Instance Rebalance Recommendation" }
    instance-state-change = { source = "aws.ec2", detail = "EC2 Instance State-change Notification" }
    scheduled-change      = { source = "aws.health", detail = "AWS Health Event" }
  }
}

resource "aws_iam_instance_profile" "karpenter" {
  name = aws_iam_role.service["karpenter-node"].name
  path = local.path
  role = aws_iam_role.service["karpenter-node"].name
}

resource "aws_eks_access_entry" "karpenter" {
  cluster_name  = aws_eks_cluster.main.name
  principal_arn = aws_iam_role.service["karpenter-node"].arn
  type          = "EC2_LINUX"
}

resource "aws_iam_role" "controller" {
  name = "pingvas-shared-role-karpenter-controller"
  path = local.path
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow", Action = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.main.arn }
      Condition = { StringEquals = {
        "${replace(local.issuer, "https://", "")}:aud" = "sts.amazonaws.com"
        "${replace(local.issuer, "https://", "")}:sub" = "system:serviceaccount:kube-system:karpenter"
      } }
    }]
  })
}

resource "aws_iam_role_policy" "controller" {
  name = "karpenter"
  role = aws_iam_role.controller.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateTags", "ec2:TerminateInstances", "ec2:Describe*"]
      Resource = "*"
    }]
  })
}

resource "aws_sqs_queue" "karpenter" {
  name                      = "pingvas-shared-queue-karpenter"
  message_retention_seconds = 300
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "karpenter" {
  queue_url = aws_sqs_queue.karpenter.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow", Action = "sqs:SendMessage", Resource = aws_sqs_queue.karpenter.arn
      Principal = { Service = ["events.amazonaws.com", "sqs.amazonaws.com"] }
    }]
  })
}

resource "aws_cloudwatch_event_rule" "karpenter" {
  for_each      = local.events
  name          = "pingvas-shared-rule-karpenter-${each.key}"
  description   = "${each.value.detail}: tells Karpenter"
  event_pattern = jsonencode({ source = [each.value.source], detail-type = [each.value.detail] })
}

resource "aws_cloudwatch_event_target" "karpenter" {
  for_each  = local.events
  rule      = aws_cloudwatch_event_rule.karpenter[each.key].name
  target_id = "interruption-queue"
  arn       = aws_sqs_queue.karpenter.arn
}

resource "aws_ec2_tag" "cluster_group" {
  resource_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  key         = "karpenter.sh/discovery"
  value       = aws_eks_cluster.main.name
}
