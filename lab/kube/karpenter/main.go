// The core of Karpenter with the lab as its cloud: the lab has the instance types, and starts and
// ends the instances.
package main

import (
	"context"
	"flag"
	"os"

	"go.uber.org/zap/zapcore"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/controllers"
	"sigs.k8s.io/karpenter/pkg/controllers/nodeoverlay"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/events"
	"sigs.k8s.io/karpenter/pkg/operator/options"
)

func main() {
	lab := flag.String("lab", "", "address of the lab's side of the cloud")
	authority := flag.String("authority", "", "file of the CA that vouches for the lab")
	scale := flag.Float64("time-scale", 1, "factor of the time that a node stays empty")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.StacktraceLevel(zapcore.DPanicLevel)))

	ctx, opts := settings()
	manager := must(ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Metrics:                server.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		BaseContext:            func() context.Context { return options.ToContext(ctx, opts) },
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&coordinationv1.Lease{}: {Namespaces: map[string]cache.Config{
				corev1.NamespaceNodeLease: {}}},
			&v1.NodePool{}: {Transform: shortened(*scale)},
		}},
	}))
	for _, row := range indexes {
		check(manager.GetFieldIndexer().IndexField(ctx, row.of, row.field, row.value))
	}
	kube, clock := manager.GetClient(), clock{scale: *scale}
	cloud := &cloud{kube: kube, lab: dial(*lab, *authority)}
	check(cloud.learn(ctx))
	for _, each := range controllers.NewControllers(ctx, manager, clock, kube,
		events.NewRecorder(manager.GetEventRecorderFor("karpenter")), cloud, cloud,
		state.NewCluster(clock, kube, cloud), nodeoverlay.NewInstanceTypeStore()) {
		check(each.Register(ctx, manager))
	}
	check(manager.Start(ctrl.SetupSignalHandler()))
}

// settings are those of the chart: the defaults, without features that are not yet stable.
func settings() (context.Context, *options.Options) {
	opts := &options.Options{}
	set := &options.FlagSet{FlagSet: flag.NewFlagSet("karpenter", flag.ExitOnError)}
	opts.AddFlags(set)
	check(opts.Parse(set, "--disable-cluster-state-observability"))
	return options.ToContext(context.Background(), opts), opts
}

// indexes are the fields that Karpenter looks objects up by; its own operator makes the same.
var indexes = []struct {
	of    client.Object
	field string
	value client.IndexerFunc
}{
	{&corev1.Pod{}, "spec.nodeName", func(o client.Object) []string {
		return []string{o.(*corev1.Pod).Spec.NodeName}
	}},
	{&corev1.Node{}, "spec.providerID", func(o client.Object) []string {
		return []string{o.(*corev1.Node).Spec.ProviderID}
	}},
	{&storagev1.VolumeAttachment{}, "spec.nodeName", func(o client.Object) []string {
		return []string{o.(*storagev1.VolumeAttachment).Spec.NodeName}
	}},
	{&v1.NodeClaim{}, "status.providerID", func(o client.Object) []string {
		return []string{o.(*v1.NodeClaim).Status.ProviderID}
	}},
	{&v1.NodeClaim{}, "spec.nodeClassRef.group", claimed(func(r *v1.NodeClassReference) string {
		return r.Group
	})},
	{&v1.NodeClaim{}, "spec.nodeClassRef.kind", claimed(func(r *v1.NodeClassReference) string {
		return r.Kind
	})},
	{&v1.NodeClaim{}, "spec.nodeClassRef.name", claimed(func(r *v1.NodeClassReference) string {
		return r.Name
	})},
	{&v1.NodePool{}, "spec.template.spec.nodeClassRef.group",
		pooled(func(r *v1.NodeClassReference) string { return r.Group })},
	{&v1.NodePool{}, "spec.template.spec.nodeClassRef.kind",
		pooled(func(r *v1.NodeClassReference) string { return r.Kind })},
	{&v1.NodePool{}, "spec.template.spec.nodeClassRef.name",
		pooled(func(r *v1.NodeClassReference) string { return r.Name })},
}

func claimed(part func(*v1.NodeClassReference) string) client.IndexerFunc {
	return func(o client.Object) []string {
		return []string{part(o.(*v1.NodeClaim).Spec.NodeClassRef)}
	}
}

func pooled(part func(*v1.NodeClassReference) string) client.IndexerFunc {
	return func(o client.Object) []string {
		return []string{part(o.(*v1.NodePool).Spec.Template.Spec.NodeClassRef)}
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		ctrl.Log.Error(err, "cannot go on")
		os.Exit(1)
	}
}
