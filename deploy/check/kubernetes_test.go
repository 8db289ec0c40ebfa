// Package check holds deploy/ to the libraries of those who will read it: Kubernetes' own types,
// Compose's loader, Docker's parser, Prometheus' engine, and runc, which runs the containers.
package check

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// overlays are the names of all there are.
var overlays = func() (names []string) {
	found, err := filepath.Glob("../k8s/overlays/*/kustomization.yaml")
	if err != nil || len(found) < 4 {
		panic(fmt.Sprintf("overlays %q, %v", found, err))
	}
	for _, file := range found {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}()

// decoder knows every kind that the overlays may hold, and refuses fields that these do not have.
var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, autoscalingv2.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
		monitoringv1.AddToScheme, gatewayv1.Install,
	} {
		utilruntime.Must(add(scheme))
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// render returns an overlay's objects.
func render(t *testing.T, overlay string) (objects []runtime.Object) {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../k8s/overlays/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
			continue
		}
		objects = append(objects, object)
	}
	return objects
}

// of are the objects of one kind.
func of[T any](objects []runtime.Object) (found []T) {
	for _, o := range objects {
		if one, is := o.(T); is {
			found = append(found, one)
		}
	}
	return found
}

// pods are the templates of everything that runs pods, by name.
func pods(objects []runtime.Object) map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{}
	for _, d := range of[*appsv1.Deployment](objects) {
		templates[d.Name] = d.Spec.Template
	}
	for _, s := range of[*appsv1.StatefulSet](objects) {
		templates[s.Name] = s.Spec.Template
	}
	return templates
}

func TestOverlaysAreWhatKubernetesKnows(t *testing.T) {
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			objects := render(t, overlay)
			for name, least := range map[string]int{
				"Deployment": 2, "HorizontalPodAutoscaler": 2, "PodDisruptionBudget": 2, "NetworkPolicy": 4, "ServiceAccount": 2, "Service": 3,
			} {
				count := 0
				for _, o := range objects {
					if o.GetObjectKind().GroupVersionKind().Kind == name {
						count++
					}
				}
				if count < least {
					t.Errorf("%d of kind %s, want %d or more", count, name, least)
				}
			}
		})
	}
}

// TestPodsAreRestricted checks what Pod Security's profile "restricted" asks for, and what we ask beyond.
func TestPodsAreRestricted(t *testing.T) {
	for _, overlay := range overlays {
		for name, pod := range pods(render(t, overlay)) {
			complain := func(what string) { t.Errorf("%s: %s: %s", overlay, name, what) }
			s := pod.Spec.SecurityContext
			if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				complain("must run as non-root with the runtime's seccomp profile")
			}
			if a := pod.Spec.AutomountServiceAccountToken; a == nil || *a {
				complain("must not mount a service account's token")
			}
			for _, c := range pod.Spec.Containers {
				cs := c.SecurityContext
				if cs == nil || cs.AllowPrivilegeEscalation == nil || *cs.AllowPrivilegeEscalation || cs.Capabilities == nil ||
					!slices.Contains(cs.Capabilities.Drop, "ALL") || cs.ReadOnlyRootFilesystem == nil || !*cs.ReadOnlyRootFilesystem {
					complain("must not escalate, keep capabilities or write to its root")
				}
				if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
					complain("must ask for CPU and bound its memory")
				}
				if c.ReadinessProbe == nil {
					complain("must have a readiness probe")
				}
			}
		}
	}
}

// TestImagesAreOfOneVersion: what runs is the same on every node and after every restart.
func TestImagesAreOfOneVersion(t *testing.T) {
	for _, overlay := range overlays {
		for name, pod := range pods(render(t, overlay)) {
			for _, c := range pod.Spec.Containers {
				builtHere := overlay == "dev" && c.Image == "pona/"+name+":dev"
				if !builtHere && !wholeVersion.MatchString(c.Image) {
					t.Errorf("%s: %s: the image %s has no whole version", overlay, name, c.Image)
				}
			}
		}
	}
}

var wholeVersion = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$`)

// TestProbesArePatient: a pod that is short of CPU is neither restarted nor left out for a late answer.
func TestProbesArePatient(t *testing.T) {
	for _, overlay := range overlays {
		for name, pod := range pods(render(t, overlay)) {
			for _, c := range pod.Spec.Containers {
				for kind, least := range map[string]int32{"startup": 3, "liveness": 5, "readiness": 3} {
					probe := map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe}[kind]
					if probe != nil && probe.TimeoutSeconds < least {
						t.Errorf("%s: %s: its %s probe waits %d s, want %d", overlay, name, kind, probe.TimeoutSeconds, least)
					}
				}
			}
		}
	}
}

// TestPodsAreSpread: neither a node nor a zone has all of a service, and nodes are drained even while nothing is ready.
func TestPodsAreSpread(t *testing.T) {
	for _, overlay := range overlays {
		objects := render(t, overlay)
		for _, d := range of[*appsv1.Deployment](objects) {
			over := map[string]bool{}
			for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
				over[c.TopologyKey] = c.MaxSkew == 1 && slices.Equal(c.MatchLabelKeys, []string{appsv1.DefaultDeploymentUniqueLabelKey})
			}
			if !over[corev1.LabelTopologyZone] || !over[corev1.LabelHostname] {
				t.Errorf("%s: %s is not spread version by version: %v", overlay, d.Name, over)
			}
		}
		for _, b := range of[*policyv1.PodDisruptionBudget](objects) {
			if p := b.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
				t.Errorf("%s: %s keeps pods that are not ready", overlay, b.Name)
			}
		}
	}
}
