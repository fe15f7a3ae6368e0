// The control plane as one program: the name it is called by, or else its first argument, says
// which part of it runs.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/spf13/cobra"

	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

var parts = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	part := filepath.Base(os.Args[0])
	if part != "etcd" && parts[part] == nil {
		if len(os.Args) < 2 {
			fmt.Fprintln(os.Stderr, "usage: control PART ..., a part of the control plane")
			os.Exit(2)
		}
		part = os.Args[1]
		os.Args = append([]string{part}, os.Args[2:]...)
	}
	if part == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	if parts[part] == nil {
		fmt.Fprintln(os.Stderr, "control: no part is named", part)
		os.Exit(2)
	}
	os.Exit(cli.Run(parts[part]()))
}
