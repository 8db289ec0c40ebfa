package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// client applies objects, and hears what the apiserver warns of.
type client struct {
	version string
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper

	mu     sync.Mutex
	warned []error
}

func newClient(config *rest.Config) (*client, error) {
	c := &client{}
	config.WarningHandler, config.QPS = c, -1
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	version, err := discover.ServerVersion()
	if err != nil {
		return nil, err
	}
	c.version = version.GitVersion
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discover))
	c.dynamic, err = dynamic.NewForConfig(config)
	return c, err
}

// HandleWarningHeader is rest.WarningHandler's.
func (c *client) HandleWarningHeader(_ int, _, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warned = append(c.warned, errors.New("warned: "+oneLine(text)))
}

func (c *client) warnings() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := errors.Join(c.warned...)
	c.warned = nil
	return err
}

// apply is kubectl apply --server-side. A warning is an error.
func (c *client) apply(ctx context.Context, o *unstructured.Unstructured, dryRun bool) error {
	kind := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var to dynamic.ResourceInterface = c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		to = c.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace())
	}
	options := metav1.PatchOptions{FieldManager: "verify", FieldValidation: metav1.FieldValidationStrict}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	text, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = to.Patch(ctx, o.GetName(), types.ApplyPatchType, text, options)
	return errors.Join(err, c.warnings())
}

// refuses tells whether Pod Security forbids a pod.
func (c *client) refuses(ctx context.Context, pod *unstructured.Unstructured) error {
	err := c.apply(ctx, pod, true)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "violates PodSecurity") {
		return fmt.Errorf("Pod Security did not forbid it: %v", err)
	}
	return nil
}

// define adds custom resources, and waits until they are served.
func (c *client) define(ctx context.Context, definitions []*unstructured.Unstructured) error {
	for _, d := range definitions {
		if err := c.apply(ctx, d, false); err != nil {
			return fmt.Errorf("%s: %w", d.GetName(), err)
		}
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for _, d := range definitions {
		for {
			established, err := c.established(ctx, d.GetName())
			if err != nil {
				return err
			}
			if established {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("%s is not served: %w", d.GetName(), ctx.Err())
			}
		}
	}
	c.mapper.Reset()
	return nil
}

func (c *client) established(ctx context.Context, name string) (bool, error) {
	o, err := c.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	conditions, _, err := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, one := range conditions {
		if condition, is := one.(map[string]any); is && condition["type"] == "Established" && condition["status"] == "True" {
			return true, err
		}
	}
	return false, err
}
