"""What EKS refuses in a node group. Sources: API_CreateNodegroup,
userguide/launch-templates.html, userguide/choosing-instance-type.html."""

import json
from pathlib import Path

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from lab import kit
from lab.extensions import eks_shared as eks

AMI_TYPES = json.loads((Path(__file__).parent.parent / "data" / "ami_types.json").read_text())
NEURON_FAMILIES = ("inf", "trn")


def release_of(version):
    return f"{eks.VERSIONS[version]['patch']}-20261105"


def check_scaling(config):
    low, wanted, high = config["minSize"], config["desiredSize"], config["maxSize"]
    if low > high:
        raise eks.invalid(f"Minimum capacity {low} can't be greater than maximum size {high}")
    if low > wanted:
        raise eks.invalid(f"Minimum capacity {low} can't be greater than desired size {wanted}")
    if wanted > high:
        raise eks.invalid(f"desired capacity {wanted} can't be greater than max size {high}")


def check_update_config(config):
    if config.get("maxUnavailable") and config.get("maxUnavailablePercentage"):
        raise eks.invalid("Only one of maxUnavailable and maxUnavailablePercentage may be given")


def check_labels(labels, taints):
    for key in labels:
        if key.startswith(("eks.amazonaws.com/", "kubernetes.io/", "k8s.io/")):
            raise eks.invalid(f"Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, "
                              f"eks.amazonaws.com/]: {key}")
    if len(taints) > 50:
        raise eks.invalid("A node group can have at most 50 taints")
    for taint in taints:
        if not taint.get("key") or not taint.get("effect"):
            raise eks.invalid("Taints need a key and an effect")


def check_launch_template(call, asked):
    """{live, data, groups} of the template that is asked for, or None."""
    wanted = asked.get("launchTemplate")
    if not wanted:
        return None
    template = find_template(call, wanted)
    number = wanted.get("version") or str(template.default_version_number)
    number = {"$Latest": template.latest_version_number,
              "$Default": template.default_version_number}.get(number, number)
    versions = {str(version.number): version for version in template.versions}
    if str(number) not in versions:
        raise eks.invalid(f"Launch template version {number} does not exist")
    data = versions[str(number)].data
    check_template_data(call, asked, data)
    interfaces = data.get("NetworkInterfaces") or []
    groups = data.get("SecurityGroupIds") or [
        key for row in interfaces for key in row.get("Groups") or row.get("SecurityGroupId") or []]
    return {"live": {"id": template.id, "name": template.name, "version": str(number)},
            "data": data, "groups": groups}


def find_template(call, wanted):
    if wanted.get("id") and wanted.get("name"):
        raise eks.invalid("Only one of launch template id and name may be given")
    for template in call.backend("ec2").launch_templates.values():
        if template.id == wanted.get("id") or template.name == wanted.get("name"):
            return template
    raise eks.invalid(f"Launch template {wanted.get('id') or wanted.get('name')} does not exist")


def check_template_data(call, asked, data):
    if asked.get("diskSize"):
        raise eks.invalid("Disk size must be specified within the launch template.")
    if asked.get("remoteAccess"):
        raise eks.invalid("Remote access configuration cannot be specified with a launch template.")
    if asked.get("instanceTypes") and data.get("InstanceType"):
        raise eks.invalid("Cannot specify instance types in launch template and API request")
    if data.get("IamInstanceProfile"):
        raise eks.invalid("The node role must be given in the API request, not as an instance "
                          "profile within the launch template")
    for row in data.get("NetworkInterfaces") or []:
        if row.get("SubnetId"):
            raise eks.invalid("Subnets must be given in the API request, not in the template")
    if data.get("ImageId") and asked.get("amiType") not in (None, "CUSTOM"):
        raise eks.invalid("You cannot specify an AMI type with a launch template that has an "
                          "image id")
    if asked.get("amiType") == "CUSTOM" and not data.get("ImageId"):
        raise eks.invalid("amiType CUSTOM needs an image id in the launch template")
    kit.check_groups(call, data.get("SecurityGroupIds") or [], lambda key: eks.invalid(
        f"The security group '{key}' of the launch template does not exist"))


def default_ami(types, version, data):
    if data.get("ImageId"):
        return "CUSTOM"
    info = INSTANCE_TYPES.get(types[0], {})
    arm = "arm64" in (info.get("ProcessorInfo") or {}).get("SupportedArchitectures", [])
    if info.get("GpuInfo"):
        return "AL2023_ARM_64_NVIDIA" if arm else "AL2023_x86_64_NVIDIA"
    return "AL2023_ARM_64_STANDARD" if arm else "AL2023_x86_64_STANDARD"


def check_instances(call, asked, template, version):
    """(AMI type, instance types as EKS describes them)"""
    data = (template or {}).get("data") or {}
    asked_types = asked.get("instanceTypes")
    types = asked_types or ([data["InstanceType"]] if data.get("InstanceType") else ["t3.medium"])
    unknown = [name for name in types if name not in INSTANCE_TYPES]
    if unknown:
        raise eks.invalid("The following supplied instance types do not exist: "
                          f"[{', '.join(unknown)}]")
    check_offered(call, types)
    ami = asked.get("amiType") or default_ami(types, version, data)
    rule = AMI_TYPES[ami]
    if "last" in rule and eks.minor(version) > eks.minor(rule["last"]):
        raise eks.invalid(f"AMI Type {ami} is only supported for kubernetes versions "
                          f"{rule['last']} or earlier")
    wrong = [name for name in types if not fits(name, rule)]
    if wrong:
        raise eks.invalid(f"[{', '.join(wrong)}] is not a valid instance type for requested "
                          f"amiType {ami}")
    live = None if data.get("InstanceType") and not asked_types else list(types)
    return ami, live


def fits(name, rule):
    info = INSTANCE_TYPES[name]
    if "arch" in rule and rule["arch"] not in info["ProcessorInfo"]["SupportedArchitectures"]:
        return False
    if rule.get("needs") == "gpu":
        return bool(info.get("GpuInfo"))
    if rule.get("needs") == "neuron":
        return name.startswith(NEURON_FAMILIES)
    return True


def check_offered(call, types):
    rows = INSTANCE_TYPE_OFFERINGS["region"].get(call.region)
    offered = {row["InstanceType"] for row in rows or []}
    missing = [name for name in types if rows and name not in offered]
    if missing:
        raise eks.invalid(f"[{', '.join(missing)}] is not offered in {call.region}")
