package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// render returns an overlay's objects, in the order in which kustomize would have them applied, the
// namespace first.
func render(overlay string) (objects []*unstructured.Unstructured, err error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		return nil, err
	}
	for _, r := range resources.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	first := func(o *unstructured.Unstructured) int {
		return slices.Index([]string{"ServiceAccount", "Namespace"}, o.GetKind())
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return first(b) - first(a) })
	return objects, nil
}

func namespaceOf(objects []*unstructured.Unstructured) string {
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			return o.GetName()
		}
	}
	return ""
}

// defaultAccount is the service account that each namespace has on a cluster with controllers.
func defaultAccount(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default", "namespace": namespace},
	}}
}

// podsOf are the pods that Deployments and StatefulSets would make.
func podsOf(objects []*unstructured.Unstructured) (pods []*unstructured.Unstructured) {
	for _, o := range objects {
		template, found, _ := unstructured.NestedMap(o.Object, "spec", "template")
		if !found || o.GetKind() != "Deployment" && o.GetKind() != "StatefulSet" {
			continue
		}
		pod := &unstructured.Unstructured{Object: template}
		pod.SetAPIVersion("v1")
		pod.SetKind("Pod")
		pod.SetName(o.GetName() + "-0")
		pod.SetNamespace(o.GetNamespace())
		pods = append(pods, pod)
	}
	return pods
}

// carelessPod may not run where Pod Security enforces "restricted".
func carelessPod(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": "careless", "namespace": namespace},
		"spec": map[string]any{"automountServiceAccountToken": false, "containers": []any{
			map[string]any{"name": "careless", "image": "careless", "securityContext": map[string]any{"runAsUser": int64(0)}},
		}},
	}}
}

// customResources are the definitions of what the overlays use beside Kubernetes' own, of the modules that
// deploy/check holds them to. The Gateway API's stand there as files; the Prometheus operator's are made from
// its types, as it makes them itself.
func customResources(ctx context.Context, bin, check string) (definitions []*unstructured.Unstructured, err error) {
	folder, err := os.MkdirTemp("", "pona-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	generator, err := filepath.Abs(filepath.Join(bin, "controller-gen"))
	if err != nil {
		return nil, err
	}
	if _, err := output(ctx, check, generator, "crd", "paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1", "output:crd:dir="+folder); err != nil {
		return nil, err
	}
	gateway, err := output(ctx, check, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	if err != nil {
		return nil, err
	}
	for _, pattern := range []string{folder + "/*.yaml", gateway + "/config/crd/standard/gateway.*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			return nil, errors.Join(fmt.Errorf("there is no %s", pattern), err)
		}
		for _, file := range files {
			more, err := readDefinitions(file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			definitions = append(definitions, more...)
		}
	}
	return definitions, nil
}

func readDefinitions(file string) (definitions []*unstructured.Unstructured, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for documents := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		o := &unstructured.Unstructured{}
		if err := documents.Decode(o); errors.Is(err, io.EOF) {
			return definitions, nil
		} else if err != nil {
			return nil, err
		}
		if o.GetKind() == "CustomResourceDefinition" {
			definitions = append(definitions, o)
		}
	}
}

// output runs a program in a folder, outside any workspace, and returns what it prints.
func output(ctx context.Context, folder, program string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.Env = folder, append(os.Environ(), "GOWORK=off")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", command, err, oneLine(complaint.String()))
	}
	return string(bytes.TrimSpace(out)), nil
}
