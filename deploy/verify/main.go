// Verify asks a real kube-apiserver whether it takes deploy/k8s: each overlay, by server-side apply, into a
// namespace where Pod Security enforces "restricted". A warning counts as a refusal. `make k8s-verify`
// builds the servers from their Go modules, and runs it.
//
// There are no controllers and no nodes: nothing runs. So the pods that Deployments and StatefulSets would
// make are given to the apiserver too, as a dry run, and one that may not run, to see that it is refused.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	runtime.LockOSThread() // what we start dies with this thread
	bin := flag.String("bin", "bin/k8s", "folder of etcd, kube-apiserver and controller-gen")
	deploy := flag.String("deploy", "deploy", "folder of k8s/overlays, and of check/go.mod, which says whose custom resources we use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *bin, *deploy); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, deploy string) error {
	definitions, err := customResources(ctx, bin, filepath.Join(deploy, "check"))
	if err != nil {
		return err
	}
	overlays, err := filepath.Glob(filepath.Join(deploy, "k8s/overlays/*"))
	if err == nil && len(overlays) == 0 {
		err = fmt.Errorf("no overlays in %s", deploy)
	}
	for _, overlay := range overlays {
		err = errors.Join(err, verify(ctx, bin, overlay, definitions))
	}
	return err
}

// verify shows what becomes of an overlay's objects on a cluster of its own.
func verify(ctx context.Context, bin, overlay string, definitions []*unstructured.Unstructured) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	objects, err := render(overlay)
	if err != nil {
		return err
	}
	cluster, err := startCluster(ctx, bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.stop()) }()
	client, err := newClient(cluster.config)
	if err != nil {
		return err
	}
	if err := client.define(ctx, definitions); err != nil {
		return err
	}

	name := filepath.Base(overlay)
	fmt.Printf("\n%s, on Kubernetes %s\n", name, client.version)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	failed := 0
	show := func(kind, object string, err error) {
		answer := "accepted"
		if err != nil {
			failed++
			answer = err.Error()
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", kind, object, answer)
	}
	for _, o := range objects {
		show(o.GetKind(), o.GetName(), client.apply(ctx, o, false))
	}
	namespace := namespaceOf(objects)
	if err := client.apply(ctx, defaultAccount(namespace), false); err != nil {
		return err
	}
	for _, pod := range podsOf(objects) {
		show("Pod (dry run)", pod.GetName(), client.apply(ctx, pod, true))
	}
	show("Pod of root, refused", "careless", client.refuses(ctx, carelessPod(namespace)))
	if err := table.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%s: %d of %d are not as they should be", name, failed, len(objects))
	}
	return nil
}

// one line of an error or warning.
func oneLine(text string) string {
	return strings.Join(strings.Fields(cmp.Or(text, "nothing was said")), " ")
}
