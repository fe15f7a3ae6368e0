# The cluster, its nodes, and what Karpenter needs.
locals {
  path     = "/groundwork/pingvas-shared/"
  managed  = "arn:aws:iam::aws:policy"
  services = { cluster = "eks", eks-node = "ec2", karpenter-node = "ec2" }
  attached = {
    cluster-1   = { role = "cluster", policy = "AmazonEKSClusterPolicy" }
    cluster-2   = { role = "cluster", policy = "AmazonEKSVPCResourceController" }
    node-1      = { role = "eks-node", policy = "AmazonEKSWorkerNodePolicy" }
    node-2      = { role = "eks-node", policy = "AmazonEC2ContainerRegistryReadOnly" }
    node-3      = { role = "eks-node", policy = "AmazonEKS_CNI_Policy" }
    karpenter-1 = { role = "karpenter-node", policy = "AmazonEKSWorkerNodePolicy" }
    karpenter-2 = { role = "karpenter-node", policy = "AmazonEKS_CNI_Policy" }
    karpenter-3 = { role = "karpenter-node", policy = "AmazonEC2ContainerRegistryPullOnly" }
    karpenter-4 = { role = "karpenter-node", policy = "AmazonSSMManagedInstanceCore" }
  }
  private = values(aws_subnet.private)[*].id
  issuer  = aws_eks_cluster.main.identity[0].oidc[0].issuer
}

resource "aws_iam_role" "service" {
  for_each = local.services
  name     = "pingvas-shared-role-${each.key}"
  path     = local.path
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow", Action = "sts:AssumeRole"
      Principal = { Service = "${each.value}.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "service" {
  for_each   = local.attached
  role       = aws_iam_role.service[each.value.role].name
  policy_arn = "${local.managed}/${each.value.policy}"
}

resource "aws_cloudwatch_log_group" "eks" {
  name              = "/aws/eks/${local.cluster}/cluster"
  retention_in_days = 30
}

resource "aws_eks_cluster" "main" {
  name                          = local.cluster
  version                       = "1.35"
  role_arn                      = aws_iam_role.service["cluster"].arn
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager"]
  bootstrap_self_managed_addons = false

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true
  }

  vpc_config {
    subnet_ids              = local.private
    endpoint_private_access = true
    endpoint_public_access  = true
    public_access_cidrs     = ["0.0.0.0/0"]
  }

  depends_on = [aws_iam_role_policy_attachment.service, aws_cloudwatch_log_group.eks]
}

resource "aws_iam_openid_connect_provider" "main" {
  url            = local.issuer
  client_id_list = ["sts.amazonaws.com"]
  # AWS no longer looks at it for EKS; without one the provider asks the endpoint for it.
  thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
}

locals {
  nodegroups = {
    system = { types = ["t3.large", "t3a.large"], capacity = "SPOT", ami = "x86_64", taints = {} }
    redis  = { types = ["r6g.large"], capacity = "ON_DEMAND", ami = "ARM_64", taints = { dedicated = "redis" } }
  }
}

resource "aws_launch_template" "nodes" {
  for_each               = local.nodegroups
  name                   = "pingvas-shared-${each.key}-nodes"
  update_default_version = true
  vpc_security_group_ids = [
    aws_eks_cluster.main.vpc_config[0].cluster_security_group_id,
    aws_security_group.all["nodes"].id,
  ]

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 50
      volume_type = "gp3"
      iops        = 3000
      throughput  = 125
      encrypted   = true
    }
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  lifecycle {
    ignore_changes = [tag_specifications] # the lab shows the template's own tags there
  }
}

resource "aws_eks_node_group" "nodes" {
  for_each        = local.nodegroups
  cluster_name    = aws_eks_cluster.main.name
  node_group_name = "pingvas-shared-${each.key}-nodes"
  node_role_arn   = aws_iam_role.service["eks-node"].arn
  subnet_ids      = local.private
  instance_types  = each.value.types
  capacity_type   = each.value.capacity
  ami_type        = "AL2023_${each.value.ami}_STANDARD"
  version         = "1.35"
  labels          = { workload-type = each.key }

  dynamic "taint" {
    for_each = each.value.taints
    content {
      key    = taint.key
      value  = taint.value
      effect = "NO_SCHEDULE"
    }
  }

  launch_template {
    id      = aws_launch_template.nodes[each.key].id
    version = aws_launch_template.nodes[each.key].latest_version
  }

  scaling_config {
    min_size     = 3
    max_size     = 3
    desired_size = 3
  }

  depends_on = [aws_iam_role_policy_attachment.service, aws_eks_addon.first]
}

resource "aws_eks_addon" "first" {
  for_each                    = toset(["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  configuration_values        = each.key == "vpc-cni" ? jsonencode({ enableNetworkPolicy = "true" }) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "second" {
  for_each                    = toset(["coredns", "aws-ebs-csi-driver"])
  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  depends_on                  = [aws_eks_node_group.nodes, aws_eks_pod_identity_association.ebs]
}

resource "aws_iam_role" "ebs" {
  name = "pingvas-shared-role-ebs-csi"
  path = local.path
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow", Action = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "pods.eks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "ebs" {
  role       = aws_iam_role.ebs.name
  policy_arn = "${local.managed}/service-role/AmazonEBSCSIDriverPolicy"
}

resource "aws_eks_pod_identity_association" "ebs" {
  cluster_name    = aws_eks_cluster.main.name
  namespace       = "kube-system"
  service_account = "ebs-csi-controller-sa"
  role_arn        = aws_iam_role.ebs.arn
  depends_on      = [aws_iam_role_policy_attachment.ebs]
}
