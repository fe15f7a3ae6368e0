# Databases, caches, files, buckets, registries and secrets.
locals {
  buckets = {
    dev-images    = { transitions = { STANDARD_IA = 90 }, days = null, versioned = false }
    prod-images   = { transitions = { STANDARD_IA = 90, GLACIER = 180 }, days = null, versioned = true }
    models-shared = { transitions = { INTELLIGENT_TIERING = 0 }, days = null, versioned = false }
    logs-shared   = { transitions = {}, days = 30, versioned = false }
  }
  registries = toset(["user-service", "payment-service", "generation-service", "gallery-service",
  "model-service", "gpu-worker"])
  secrets = toset(["prod/redis-auth", "dev/jwt-signing", "prod/jwt-signing", "dev/oauth-client",
    "prod/oauth-client", "dev/lemon-squeezy", "prod/lemon-squeezy", "dev/database", "prod/database",
  "pgbouncer", "redis-tls"])
}

resource "aws_cloudwatch_log_group" "postgresql" {
  name              = "/aws/rds/cluster/pingvas-shared-aurora/postgresql"
  retention_in_days = 30
}

resource "aws_db_subnet_group" "main" {
  name        = "pingvas-shared-aurora"
  description = "Subnets of pingvas-shared-aurora"
  subnet_ids  = local.private
}

resource "aws_rds_cluster" "main" {
  cluster_identifier              = "pingvas-shared-aurora"
  engine                          = "aurora-postgresql"
  engine_version                  = "15.10"
  database_name                   = "pingvas"
  master_username                 = "postgres"
  manage_master_user_password     = true
  db_subnet_group_name            = aws_db_subnet_group.main.name
  vpc_security_group_ids          = [aws_security_group.all["rds"].id]
  storage_encrypted               = true
  backup_retention_period         = 7
  copy_tags_to_snapshot           = true
  deletion_protection             = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  final_snapshot_identifier       = "pingvas-shared-aurora-final"

  serverlessv2_scaling_configuration {
    min_capacity = 0.5
    max_capacity = 4
  }

  depends_on = [aws_cloudwatch_log_group.postgresql]
}

resource "aws_rds_cluster_instance" "writer" {
  identifier         = "pingvas-shared-aurora-writer"
  cluster_identifier = aws_rds_cluster.main.id
  engine             = "aurora-postgresql"
  instance_class     = "db.serverless"
  availability_zone  = "us-east-1a"
  promotion_tier     = 0
}

resource "aws_rds_cluster_instance" "reader" {
  identifier         = "pingvas-shared-aurora-reader"
  cluster_identifier = aws_rds_cluster.main.id
  engine             = "aurora-postgresql"
  instance_class     = "db.serverless"
  availability_zone  = "us-east-1b"
  promotion_tier     = 1
  depends_on         = [aws_rds_cluster_instance.writer]
}

resource "aws_elasticache_subnet_group" "dev" {
  name        = "pingvas-shared-cache-dev"
  description = "Subnets of pingvas-shared-cache-dev"
  subnet_ids  = local.private
}

resource "aws_elasticache_cluster" "dev" {
  cluster_id           = "pingvas-shared-cache-dev"
  engine               = "redis"
  engine_version       = "7.0"
  node_type            = "cache.t4g.medium"
  num_cache_nodes      = 1
  parameter_group_name = "default.redis7"
  subnet_group_name    = aws_elasticache_subnet_group.dev.name
  security_group_ids   = [aws_security_group.all["redis-dev"].id]
  availability_zone    = "us-east-1a"
}

resource "aws_efs_file_system" "models" {
  creation_token = "pingvas-shared-models"
  encrypted      = true
  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }
}

resource "aws_efs_backup_policy" "models" {
  file_system_id = aws_efs_file_system.models.id
  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_file_system_policy" "models" {
  file_system_id = aws_efs_file_system.models.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny", Action = "*", Principal = { AWS = "*" }, Resource = aws_efs_file_system.models.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_efs_mount_target" "models" {
  for_each        = local.zones
  file_system_id  = aws_efs_file_system.models.id
  subnet_id       = aws_subnet.private[each.key].id
  security_groups = [aws_security_group.all["efs"].id]
}

resource "aws_s3_bucket" "all" {
  for_each = local.buckets
  bucket   = "terraform-pingvas-${each.key}" # names are the world's: ours are taken by then
}

resource "aws_s3_bucket_public_access_block" "all" {
  for_each                = local.buckets
  bucket                  = aws_s3_bucket.all[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "all" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.all[each.key].id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "all" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.all[each.key].id
  rule {
    id     = "age"
    status = "Enabled"
    filter {
      prefix = ""
    }
    dynamic "transition" {
      for_each = each.value.transitions
      content {
        days          = transition.value
        storage_class = transition.key
      }
    }
    dynamic "expiration" {
      for_each = each.value.days == null ? [] : [each.value.days]
      content {
        days = expiration.value
      }
    }
  }
}

resource "aws_s3_bucket_versioning" "prod" {
  bucket = aws_s3_bucket.all["prod-images"].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "all" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.all[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls", Effect = "Deny", Action = "s3:*", Principal = "*"
      Resource  = [aws_s3_bucket.all[each.key].arn, "${aws_s3_bucket.all[each.key].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
  depends_on = [aws_s3_bucket_public_access_block.all]
}

resource "aws_ecr_repository" "all" {
  for_each = local.registries
  name     = "pingvas-shared/${each.key}"
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "all" {
  for_each   = local.registries
  repository = aws_ecr_repository.all[each.key].name
  policy = jsonencode({
    rules = [{
      rulePriority = 1, description = "Untagged images"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_secretsmanager_secret" "all" {
  for_each = local.secrets
  name     = "pingvas-shared/${each.key}"
}
