"""Service Quotas: API_ListServiceQuotas, API_GetServiceQuota and the AWS defaults."""

from lab import kit, quotas
from lab.errors import Refusal
from lab.registry import handler

NAMES = {"vpc": "Amazon Virtual Private Cloud (Amazon VPC)", "rds":
         "Amazon Relational Database Service (Amazon RDS)", "eks":
         "Amazon Elastic Kubernetes Service (Amazon EKS)", "ec2":
         "Amazon Elastic Compute Cloud (Amazon EC2)", "iam":
         "AWS Identity and Access Management (IAM)"}


def describe(call, name, row):
    default = "Default" in call.operation
    service = row["service"]
    value = row["value"] if default else quotas.value(call.lab, name)
    return {"ServiceCode": service, "ServiceName": NAMES.get(service, service),
            "QuotaArn": call.arn("servicequotas", f"{service}/{row['code']}"),
            "QuotaCode": row["code"], "QuotaName": row["name"], "Value": float(value),
            "Unit": "None", "Adjustable": True, "GlobalQuota": service in ("iam", "s3")}


def rows_of(call):
    service = call.params["ServiceCode"]
    rows = [describe(call, name, row) for name, row in quotas.QUOTAS.items()
            if row["service"] == service]
    if not rows:
        raise Refusal("NoSuchResourceException", f"The service {service} does not exist.")
    return rows


@handler("service-quotas", "ListServiceQuotas", "ListAWSDefaultServiceQuotas")
def list_quotas(call):
    rows, token = kit.page(call, rows_of(call), ("MaxResults", 100), "NextToken")
    return {"Quotas": rows, "NextToken": token}


@handler("service-quotas", "GetServiceQuota", "GetAWSDefaultServiceQuota")
def get_quota(call):
    for row in rows_of(call):
        if row["QuotaCode"] == call.params["QuotaCode"]:
            return {"Quota": row}
    raise Refusal("NoSuchResourceException", "The request failed because the specified service "
                  "quota does not exist.")
