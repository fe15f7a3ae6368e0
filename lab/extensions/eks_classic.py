"""What the cloud controller manager of EKS makes of Services that no other controller takes:
Classic Load Balancers. It is part of the control plane and always runs.

Sources: github.com/kubernetes/cloud-provider-aws, pkg/providers/v1/aws.go and tags.go;
userguide/network-load-balancing.html.
"""

from lab import kit
from lab.extensions.eks_balancers import SERVICES, Made, drop_interfaces, path_of, place
from lab.extensions.eks_controllers import Program, program
from lab.registry import after

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
TAKEN = "service.k8s.aws/resources"  # by the AWS Load Balancer Controller


@program
class Classic(Program):
    """The controller; it waits while the AWS Load Balancer Controller takes new Services."""

    other = False

    def runs(self, deployments):
        self.other = "aws-load-balancer-controller" in deployments
        return True

    def look(self):
        for item in self.listed(SERVICES):
            found = item["metadata"].get("finalizers") or []
            path = path_of(SERVICES, item)
            if "deletionTimestamp" in item["metadata"]:
                if FINALIZER in found:
                    with self.account():
                        self.remove(item)
                    self.finalizers(path, [name for name in found if name != FINALIZER])
            elif item["spec"]["type"] == "LoadBalancer" and not (
                    item["spec"].get("loadBalancerClass") or TAKEN in found or self.other
                    or FINALIZER in found):
                self.finalizers(path, [*found, FINALIZER])
                with self.account():
                    host = self.make(item)
                self.api.patch(f"{path}/status", {"status": {
                    "loadBalancer": {"ingress": [{"hostname": host}]}}})

    def names(self, item):
        """Of the load balancer, and of its security group."""
        name = "a" + item["metadata"]["uid"].replace("-", "")[:31]
        return name, f"k8s-elb-{name}"

    def make(self, item):
        made, (name, group_name) = Made(self.call, self.cluster), self.names(item)
        owned = {f"kubernetes.io/cluster/{self.cluster['name']}": "owned"}
        group = made.ec2.create_security_group(
            group_name, f"Security group for Kubernetes ELB {name} ({place(item)})", made.vpc,
            tags=owned)
        subnets = made.subnets("elb")
        ports = [{"Protocol": "TCP", "LoadBalancerPort": row["port"], "InstanceProtocol": "TCP",
                  "InstancePort": row.get("nodePort") or row["port"]}
                 for row in item["spec"]["ports"]]
        balancer = self.call.backend("elb").create_load_balancer(
            name, [], ports, "internet-facing", [subnet.id for subnet in subnets], [group.id])
        for key, value in {**owned, "kubernetes.io/service-name": place(item)}.items():
            balancer.add_tag(key, value)
        for subnet in subnets:
            kit.network_interface(self.call, subnet, [group.id], f"ELB {name}")
        return balancer.dns_name

    def remove(self, item):
        made, (name, group_name) = Made(self.call, self.cluster), self.names(item)
        self.call.backend("elb").delete_load_balancer(name)
        drop_interfaces(self.call, name)
        made.drop([group for group in list(made.ec2.groups[made.vpc].values())
                   if group.name == group_name])


@after("elb", "DeleteLoadBalancer")
def interfaces_follow(call):
    """They stay a while after their load balancer."""
    name = call.params["LoadBalancerName"]
    call.lab.later("elbv2.network_interface.delete", lambda: drop_interfaces(call, name))
