package main

import (
	corev1 "k8s.io/api/core/v1"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/scheduling"
)

const (
	awsGroup = "karpenter.k8s.aws"
	zoneID   = "topology.k8s.aws/zone-id"
)

// row is an instance type as the lab tells it; prices are by capacity type.
type row struct {
	Name     string              `json:"name"`
	Labels   map[string]string   `json:"labels"`
	Capacity corev1.ResourceList `json:"capacity"`
	Overhead corev1.ResourceList `json:"overhead"`
	Prices   map[string]float64  `json:"prices"`
}

// wellKnown lets pools and pods choose by the labels of AWS.
// Source: karpenter.sh/docs/concepts/scheduling (well-known labels).
func wellKnown(rows []row) {
	v1.RestrictedLabelDomains.Insert(awsGroup)
	v1.WellKnownLabels.Insert(zoneID)
	for _, each := range rows {
		for key := range each.Labels {
			v1.WellKnownLabels.Insert(key)
		}
	}
}

// instanceTypes are all types, offered in these zones.
func instanceTypes(rows []row, zones []Subnet) []*cloudprovider.InstanceType {
	found := []*cloudprovider.InstanceType{}
	for _, each := range rows {
		offers := each.offers(zones)
		found = append(found, &cloudprovider.InstanceType{
			Name: each.Name, Requirements: each.requirements(offers), Offerings: offers,
			Capacity: each.Capacity,
			Overhead: &cloudprovider.InstanceTypeOverhead{KubeReserved: each.Overhead},
		})
	}
	return found
}

func (r row) offers(zones []Subnet) (found cloudprovider.Offerings) {
	for _, zone := range zones {
		for kind, price := range r.Prices {
			found = append(found, &cloudprovider.Offering{
				Price: price, Available: true, Requirements: scheduling.NewLabelRequirements(
					map[string]string{v1.CapacityTypeLabelKey: kind, zoneID: zone.ZoneID,
						corev1.LabelTopologyZone: zone.Zone})})
		}
	}
	return found
}

// requirements has every well-known label; what the type does not have must not be asked for.
func (r row) requirements(offers cloudprovider.Offerings) scheduling.Requirements {
	found := scheduling.NewLabelRequirements(r.Labels)
	values := map[string][]string{}
	for _, offer := range offers {
		for key, value := range single(offer.Requirements) {
			values[key] = append(values[key], value)
		}
	}
	for key, some := range values {
		found.Add(scheduling.NewRequirement(key, corev1.NodeSelectorOpIn, some...))
	}
	for key := range v1.WellKnownLabels {
		if key != v1.NodePoolLabelKey && !found.Has(key) {
			found.Add(scheduling.NewRequirement(key, corev1.NodeSelectorOpDoesNotExist))
		}
	}
	return found
}
