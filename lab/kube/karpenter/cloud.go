package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/awslabs/operatorpkg/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/scheduling"
	"sigs.k8s.io/karpenter/pkg/utils/resources"
)

// cloud is what Karpenter asks for nodes: cloudprovider.CloudProvider.
type cloud struct {
	kube  client.Client
	lab   *lab
	rows  []row
	mutex sync.Mutex
	types map[string][]*cloudprovider.InstanceType // by the zones they are offered in
}

// order is what the lab is asked to start.
type order struct {
	Claim  string            `json:"claim"`
	Class  string            `json:"class"`
	Labels map[string]string `json:"labels"`
}

// instance is what the lab tells of one that runs; Refused says why there is none.
type instance struct {
	ProviderID string            `json:"provider_id"`
	Image      string            `json:"image"`
	Claim      string            `json:"claim"`
	Labels     map[string]string `json:"labels"`
	Refused    string            `json:"refused"`
}

// learn asks the lab for the instance types.
func (c *cloud) learn(ctx context.Context) error {
	c.types = map[string][]*cloudprovider.InstanceType{}
	if err := c.lab.ask(ctx, "types", nil, &c.rows); err != nil {
		return err
	}
	wellKnown(c.rows)
	return nil
}

func (c *cloud) Create(ctx context.Context, claim *v1.NodeClaim) (*v1.NodeClaim, error) {
	class := &EC2NodeClass{}
	name := client.ObjectKey{Name: claim.Spec.NodeClassRef.Name}
	if err := c.kube.Get(ctx, name, class); err != nil {
		return nil, cloudprovider.NewInsufficientCapacityError(err)
	}
	if ready := class.StatusConditions().Get(status.ConditionReady); !ready.IsTrue() {
		return nil, cloudprovider.NewNodeClassNotReadyError(errors.New(ready.Message))
	}
	kind, offer := cheapest(c.offered(class), claim)
	if offer == nil {
		return nil, cloudprovider.NewInsufficientCapacityError(
			errors.New("no instance type is offered that meets the requirements"))
	}
	labels := maps.Clone(claim.Labels)
	for _, some := range []scheduling.Requirements{
		scheduling.NewNodeSelectorRequirementsWithMinValues(claim.Spec.Requirements...),
		kind.Requirements, offer.Requirements} {
		maps.Copy(labels, single(some))
	}
	made := &instance{}
	if err := c.lab.ask(ctx, "launch", order{claim.Name, class.Name, labels}, made); err != nil {
		return nil, err
	}
	if made.Refused != "" {
		return nil, cloudprovider.NewInsufficientCapacityError(errors.New(made.Refused))
	}
	found := made.claim()
	found.Labels = labels
	found.Status.Capacity, found.Status.Allocatable = kind.Capacity, kind.Allocatable()
	return found, nil
}

// cheapest is the type and offer of the lowest price that a claim allows.
func cheapest(types []*cloudprovider.InstanceType, claim *v1.NodeClaim) (
	kind *cloudprovider.InstanceType, offer *cloudprovider.Offering) {
	wanted := scheduling.NewNodeSelectorRequirementsWithMinValues(claim.Spec.Requirements...)
	for _, each := range types {
		if each.Requirements.Intersects(wanted) != nil ||
			!resources.Fits(claim.Spec.Resources.Requests, each.Allocatable()) {
			continue
		}
		for _, one := range each.Offerings.Compatible(wanted) {
			if offer == nil || one.Price < offer.Price {
				kind, offer = each, one
			}
		}
	}
	return kind, offer
}

// single are the labels that requirements leave no choice of.
func single(requirements scheduling.Requirements) map[string]string {
	found := map[string]string{}
	for key, each := range requirements {
		if each.Operator() == corev1.NodeSelectorOpIn && each.Len() == 1 {
			found[key] = each.Values()[0]
		}
	}
	return found
}

// claim is the instance in Karpenter's words.
func (i *instance) claim() *v1.NodeClaim {
	return &v1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: i.Claim, Labels: i.Labels},
		Status:     v1.NodeClaimStatus{ProviderID: i.ProviderID, ImageID: i.Image},
	}
}

// Delete ends the instance; it is gone at once.
func (c *cloud) Delete(ctx context.Context, claim *v1.NodeClaim) error {
	asked := map[string]string{"provider_id": claim.Status.ProviderID}
	if err := c.lab.ask(ctx, "terminate", asked, nil); err != nil {
		return err
	}
	return missing(claim.Status.ProviderID)
}

func missing(providerID string) error {
	return cloudprovider.NewNodeClaimNotFoundError(fmt.Errorf("no instance is %s", providerID))
}

func (c *cloud) List(ctx context.Context) ([]*v1.NodeClaim, error) {
	var running []instance
	if err := c.lab.ask(ctx, "running", nil, &running); err != nil {
		return nil, err
	}
	found := []*v1.NodeClaim{}
	for _, each := range running {
		found = append(found, each.claim())
	}
	return found, nil
}

func (c *cloud) Get(ctx context.Context, providerID string) (*v1.NodeClaim, error) {
	found, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, each := range found {
		if each.Status.ProviderID == providerID {
			return each, nil
		}
	}
	return nil, missing(providerID)
}

func (c *cloud) GetInstanceTypes(ctx context.Context, pool *v1.NodePool) (
	[]*cloudprovider.InstanceType, error) {
	class := &EC2NodeClass{}
	name := client.ObjectKey{Name: pool.Spec.Template.Spec.NodeClassRef.Name}
	if err := c.kube.Get(ctx, name, class); err != nil {
		return nil, err
	}
	return c.offered(class), nil
}

// offered are the types in the zones of a class's subnets.
func (c *cloud) offered(class *EC2NodeClass) []*cloudprovider.InstanceType {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	zones := class.zones()
	key := fmt.Sprint(zones)
	if c.types[key] == nil {
		c.types[key] = instanceTypes(c.rows, zones)
	}
	return c.types[key]
}

func (c *cloud) IsDrifted(context.Context, *v1.NodeClaim) (cloudprovider.DriftReason, error) {
	return "", nil
}

func (c *cloud) RepairPolicies() []cloudprovider.RepairPolicy { return nil }

func (c *cloud) Name() string { return "lab" }

func (c *cloud) GetSupportedNodeClasses() []status.Object {
	return []status.Object{&EC2NodeClass{}}
}
