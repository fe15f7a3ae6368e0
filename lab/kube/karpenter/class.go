package main

import (
	"slices"

	"github.com/awslabs/operatorpkg/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// EC2NodeClass is as much of the real one as is read here; the lab writes its status.
type EC2NodeClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Status            EC2NodeClassStatus `json:"status,omitempty"`
}

type EC2NodeClassStatus struct {
	Subnets    []Subnet           `json:"subnets,omitempty"`
	Conditions []status.Condition `json:"conditions,omitempty"`
}

type Subnet struct {
	Zone   string `json:"zone"`
	ZoneID string `json:"zoneID"`
}

type EC2NodeClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EC2NodeClass `json:"items"`
}

func init() {
	version := schema.GroupVersion{Group: awsGroup, Version: "v1"}
	metav1.AddToGroupVersion(scheme.Scheme, version)
	scheme.Scheme.AddKnownTypes(version, &EC2NodeClass{}, &EC2NodeClassList{})
}

func (c *EC2NodeClass) StatusConditions() status.ConditionSet {
	return status.NewReadyConditions().For(c)
}

func (c *EC2NodeClass) GetConditions() []status.Condition { return c.Status.Conditions }

func (c *EC2NodeClass) SetConditions(found []status.Condition) { c.Status.Conditions = found }

func (c *EC2NodeClass) DeepCopyObject() runtime.Object {
	copied := &EC2NodeClass{TypeMeta: c.TypeMeta, Status: EC2NodeClassStatus{
		Subnets: slices.Clone(c.Status.Subnets), Conditions: slices.Clone(c.Status.Conditions)}}
	c.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	return copied
}

func (l *EC2NodeClassList) DeepCopyObject() runtime.Object {
	copied := &EC2NodeClassList{TypeMeta: l.TypeMeta}
	l.ListMeta.DeepCopyInto(&copied.ListMeta)
	for _, item := range l.Items {
		copied.Items = append(copied.Items, *item.DeepCopyObject().(*EC2NodeClass))
	}
	return copied
}

// zones are those of the subnets, each with its id.
func (c *EC2NodeClass) zones() []Subnet {
	found := slices.Clone(c.Status.Subnets)
	slices.SortFunc(found, func(a, b Subnet) int {
		if a.Zone < b.Zone {
			return -1
		}
		return 1
	})
	return slices.Compact(found)
}
