# The provider, with as few calls of its own as it allows, pointed at the lab.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "account" { type = string }

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "LAB0${var.account}"
  secret_key                  = "emulated-secret-key"
  allowed_account_ids         = [var.account]
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_credentials_validation = true
  s3_use_path_style           = true

  endpoints {
    ec2             = var.endpoint
    ecr             = var.endpoint
    efs             = var.endpoint
    eks             = var.endpoint
    elasticache     = var.endpoint
    events          = var.endpoint
    iam             = var.endpoint
    kms             = var.endpoint
    logs            = var.endpoint
    rds             = var.endpoint
    s3              = var.endpoint
    secretsmanager  = var.endpoint
    sqs             = var.endpoint
    sts             = var.endpoint
  }

  default_tags {
    tags = {
      Project     = "pingvas"
      Environment = "shared"
      ManagedBy   = "terraform"
      CostCenter  = "pingvas"
      Owner       = "platform-team"
    }
  }
}
