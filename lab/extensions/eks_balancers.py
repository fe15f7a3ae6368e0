"""What the AWS Load Balancer Controller makes of Ingresses and Services.

Names, tags and finalizers are those of its sources, github.com/kubernetes-sigs/
aws-load-balancer-controller: pkg/deploy/tracking/provider.go, pkg/shared_constants/finalizers.go,
pkg/ingress/model_build_load_balancer.go, pkg/networking/backend_sg_provider.go and
networking_manager.go; with the tags of --default-tags, which the chart writes from defaultTags.
Network interfaces: elasticloadbalancing/latest/userguide/
how-elastic-load-balancing-works.html.
"""

import hashlib
import re
from dataclasses import dataclass

from lab import kit
from lab.extensions.eks_controllers import Program, program
from lab.registry import after

INGRESSES, SERVICES = "/apis/networking.k8s.io/v1/ingresses", "/api/v1/services"
CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
GROUP, SCHEME = "alb.ingress.kubernetes.io/group.name", "alb.ingress.kubernetes.io/scheme"
SERVICE_KIND = "service.beta.kubernetes.io/aws-load-balancer-type"
SERVICE_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
TAGS = "--default-tags="
CLUSTER, OWN_FINALIZER = "elbv2.k8s.aws/cluster", "service.k8s.aws/resources"
RULE = "elbv2.k8s.aws/targetGroupBinding=shared"


@dataclass(frozen=True)
class Stack:
    """An Ingress, a group of them, or a Service, that has one load balancer."""

    prefix: str   # of its tags
    name: str     # namespace/name, or the group's
    finalizer: str
    kind: str     # application, network
    scheme: str
    backends: tuple  # ((name of the target group's resource, port), ...)

    def tags(self, cluster, resource):
        return {CLUSTER: cluster, f"{self.prefix}/stack": self.name,
                f"{self.prefix}/resource": resource}

    def called(self, cluster, *more):
        """k8s-namespace-name-digest, as all it makes is called."""
        digest = hashlib.sha256("".join([cluster, self.name, *map(str, more)]).encode())
        parts = [re.sub("[^0-9A-Za-z]", "", part) for part in self.name.split("/")]
        head = "-".join(part[:8] for part in parts) if len(parts) > 1 else parts[0][:17]
        return f"k8s-{head}-{digest.hexdigest()[:10]}"


def path_of(kind, item):
    head, plural = kind.rsplit("/", 1)
    meta = item["metadata"]
    return f"{head}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"


def place(item):
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def notes(item):
    return item["metadata"].get("annotations") or {}


def of_ingress(item):
    group = notes(item).get(GROUP)
    rules = [path for rule in item["spec"].get("rules") or []
             for path in (rule.get("http") or {}).get("paths", [])]
    backends = [path["backend"] for path in rules]
    backends += [item["spec"]["defaultBackend"]] if "defaultBackend" in item["spec"] else []
    ports = {(b["service"]["name"], b["service"]["port"].get("number") or 80)
             for b in backends if "service" in b}
    return Stack("ingress.k8s.aws", group or place(item), f"group.ingress.k8s.aws/{group}" if group
                 else "ingress.k8s.aws/resources", "application",
                 notes(item).get(SCHEME, "internal"),
                 tuple((f"{place(item)}-{name}:{port}", port) for name, port in sorted(ports)))


def of_service(item):
    ports = tuple((f"{place(item)}:{row['port']}", row["port"]) for row in item["spec"]["ports"])
    return Stack("service.k8s.aws", place(item), OWN_FINALIZER, "network",
                 notes(item).get(SERVICE_SCHEME, "internal"), ports)


@program
class Balancers(Program):
    """The controller."""

    name = "aws-load-balancer-controller"

    def look(self):
        given = [word.removeprefix(TAGS) for word in self.arguments() if word.startswith(TAGS)]
        self.tags = dict(pair.split("=", 1) for word in given for pair in word.split(","))
        classes = {item["metadata"]["name"] for item in self.listed(CLASSES)
                   if item["spec"].get("controller") == "ingress.k8s.aws/alb"}
        ingresses = [(INGRESSES, item, of_ingress(item)) for item in self.listed(INGRESSES)
                     if item["spec"].get("ingressClassName") in classes
                     or notes(item).get("kubernetes.io/ingress.class") == "alb"]
        services = [(SERVICES, item, of_service(item)) for item in self.listed(SERVICES)
                    if item["spec"]["type"] == "LoadBalancer" and mine(item)]
        leaving = [row for row in ingresses + services if "deletionTimestamp" in row[1]["metadata"]]
        staying = [row for row in ingresses + services if row not in leaving]
        for kind, item, stack in staying:
            self.keep(path_of(kind, item), item, stack)
        for kind, item, stack in leaving:
            self.leave(path_of(kind, item), item, stack, {row[2].name for row in staying})

    def keep(self, path, item, stack):
        if (item["status"].get("loadBalancer") or {}).get("ingress"):
            return
        found = item["metadata"].get("finalizers") or []
        if stack.finalizer not in found:
            self.finalizers(path, [*found, stack.finalizer])
        with self.account():
            host = Made(self.call, self.cluster, self.tags).make(stack)
        self.api.patch(f"{path}/status",
                       {"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}})

    def leave(self, path, item, stack, staying):
        found = item["metadata"].get("finalizers") or []
        if stack.finalizer not in found:
            return
        if stack.name not in staying:
            with self.account():
                Made(self.call, self.cluster).remove(stack)
        self.finalizers(path, [name for name in found if name != stack.finalizer])


def mine(service):
    """Its webhook gives new Services its class; others it leaves to whom their class names."""
    given = service["spec"].get("loadBalancerClass")
    theirs = "service.kubernetes.io/load-balancer-cleanup" in (
        service["metadata"].get("finalizers") or [])
    return given == "service.k8s.aws/nlb" or not given and not theirs


class Made:
    """Load balancers, target groups, security groups, and the interfaces of AWS for them."""

    def __init__(self, call, cluster, more=None):
        self.call, self.cluster, self.name = call, cluster, cluster["name"]
        self.more = more or {}  # tags for everything
        self.ec2, self.elb = call.backend("ec2"), call.backend("elbv2")
        self.vpc = cluster["resourcesVpcConfig"]["vpcId"]

    def tags(self, own):
        return {**self.more, **own}

    def having(self, table, wanted):
        """The rows of one of the backend's tables that have these tags."""
        return [item for arn, item in list(table.items()) if wanted.items()
                <= self.elb.tagging_service.get_tag_dict_for_resource(arn).items()]

    def groups(self, wanted):
        return [group for group in list(self.ec2.groups[self.vpc].values())
                if wanted.items() <= (self.ec2.tags.get(group.id) or {}).items()]

    def make(self, stack):
        """The DNS name of the load balancer, which may be there already."""
        own = stack.tags(self.name, "LoadBalancer")
        found = self.having(self.elb.load_balancers, own)
        return (found or [self.fresh(stack, own)])[0].dns_name

    def fresh(self, stack, own):
        subnets = self.subnets("elb" if stack.scheme == "internet-facing" else "internal-elb")
        groups = [self.frontend(stack), self.backend()]
        balancer = self.elb.create_load_balancer(
            stack.called(self.name, stack.scheme), [group.id for group in groups],
            [subnet.id for subnet in subnets], scheme=stack.scheme, loadbalancer_type=stack.kind,
            tags=rows(self.tags(own)))
        for resource, port in stack.backends:
            self.target(stack, balancer, resource, port)
        for subnet in subnets:
            kit.network_interface(self.call, subnet, [group.id for group in groups],
                                  f"ELB {tail(balancer.arn)}")
        return balancer

    def subnets(self, role):
        """One subnet of each zone, those with the role's tag before the cluster's own."""
        every = [subnet for zone in self.ec2.subnets.values() for subnet in zone.values()
                 if subnet.vpc_id == self.vpc]
        tagged = [subnet for subnet in every
                  if f"kubernetes.io/role/{role}" in (self.ec2.tags.get(subnet.id) or {})]
        own = [subnet for subnet in every
               if subnet.id in self.cluster["resourcesVpcConfig"]["subnetIds"]]
        return list({subnet.availability_zone: subnet for subnet in tagged or own}.values())

    def frontend(self, stack):
        group = self.ec2.create_security_group(
            stack.called(self.name), "[k8s] Managed SecurityGroup for LoadBalancer", self.vpc,
            tags=self.tags(stack.tags(self.name, "ManagedLBSecurityGroup")))
        for _resource, port in stack.backends:
            self.ec2.authorize_security_group_ingress(
                group.id, "tcp", str(port), str(port), [{"CidrIp": "0.0.0.0/0"}], vpc_id=self.vpc)
        return group

    def backend(self):
        """The group that all of them share, let in by the cluster's own."""
        tags = {CLUSTER: self.name, "elbv2.k8s.aws/resource": "backend-sg"}
        found = self.groups(tags)
        if found:
            return found[0]
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:10]
        plain = re.sub("[^0-9A-Za-z]", "", self.name)
        group = self.ec2.create_security_group(
            f"k8s-traffic-{plain}-{digest}", "[k8s] Shared Backend SecurityGroup for LoadBalancer",
            self.vpc, tags=self.tags(tags))
        self.ec2.authorize_security_group_ingress(
            self.cluster["resourcesVpcConfig"]["clusterSecurityGroupId"], "tcp", "0", "65535", [],
            source_groups=[{"GroupId": group.id, "Description": RULE}], vpc_id=self.vpc)
        return group

    def target(self, stack, balancer, resource, port):
        protocol = "HTTP" if stack.kind == "application" else "TCP"
        group = self.elb.create_target_group(
            stack.called(self.name, resource), protocol=protocol, port=str(port), vpc_id=self.vpc,
            target_type="ip", tags=rows(self.tags(stack.tags(self.name, resource))))
        self.elb.create_listener(balancer.arn, protocol, str(port), None, None,
                                 [{"Type": "forward", "TargetGroupArn": group.arn}])

    def remove(self, stack):
        """Also the shared group, with the last load balancer."""
        mine = {CLUSTER: self.name, f"{stack.prefix}/stack": stack.name}
        for balancer in self.having(self.elb.load_balancers, mine):
            self.elb.delete_load_balancer(balancer.arn)
            drop_interfaces(self.call, tail(balancer.arn))
        for group in self.having(self.elb.target_groups, mine):
            self.elb.delete_target_group(group.arn)
        self.drop(self.groups(mine))
        if not self.having(self.elb.load_balancers, {CLUSTER: self.name}):
            self.drop(self.groups({CLUSTER: self.name, "elbv2.k8s.aws/resource": "backend-sg"}))

    def drop(self, groups):
        for group in groups:
            for other in self.ec2.groups[self.vpc].values():
                other.ingress_rules = [rule for rule in other.ingress_rules
                                       if rule.source_group.get("GroupId") != group.id]
            self.ec2.delete_security_group(group_id=group.id)
            self.ec2.tags.pop(group.id, None)


def rows(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tail(arn):
    """app/name/id, as the description of its interfaces has it."""
    return arn.split(":loadbalancer/")[-1]


def drop_interfaces(call, name):
    """Those of a load balancer, by its name as their description has it."""
    kit.drop_interfaces(call, [key for key, item in call.backend("ec2").enis.items()
                               if item.description == f"ELB {name}"])


@after("elbv2", "DeleteLoadBalancer")
def interfaces_follow(call):
    """They stay a while after their load balancer."""
    arn = call.params["LoadBalancerArn"]
    call.lab.later("elbv2.network_interface.delete", lambda: drop_interfaces(call, tail(arn)))


@after("elbv2", "DeleteTargetGroup", "DeleteLoadBalancer")
def forget_tags(call):
    arn = call.params.get("TargetGroupArn") or call.params["LoadBalancerArn"]
    call.backend("elbv2").tagging_service.delete_all_tags_for_resource(arn)
