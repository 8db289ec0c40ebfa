// Package check holds deploy/ to the libraries of those who will read it: Kubernetes' own types,
// Compose's loader, Docker's parser, Prometheus' engine, and runc, which runs the containers.
package check

import (
	"fmt"
	"slices"
	"strings"
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

var overlays = []string{"dev", "production", "edge-tls", "fanout-tls"}

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

// TestSelectorsFindSomething looks up everything that names something else.
func TestSelectorsFindSomething(t *testing.T) {
	for _, overlay := range overlays {
		objects := render(t, overlay)
		templates := pods(objects)
		finds := func(selector map[string]string) bool {
			for _, pod := range templates {
				all := true
				for key, value := range selector {
					all = all && pod.Labels[key] == value
				}
				if all {
					return true
				}
			}
			return false
		}
		for _, s := range of[*corev1.Service](objects) {
			if !finds(s.Spec.Selector) {
				t.Errorf("%s: Service %s selects nothing: %v", overlay, s.Name, s.Spec.Selector)
			}
		}
		for _, b := range of[*policyv1.PodDisruptionBudget](objects) {
			if !finds(b.Spec.Selector.MatchLabels) {
				t.Errorf("%s: PodDisruptionBudget %s selects nothing", overlay, b.Name)
			}
		}
		for _, h := range of[*autoscalingv2.HorizontalPodAutoscaler](objects) {
			if _, is := templates[h.Spec.ScaleTargetRef.Name]; !is {
				t.Errorf("%s: HorizontalPodAutoscaler %s scales nothing", overlay, h.Name)
			}
		}
		for _, p := range of[*networkingv1.NetworkPolicy](objects) {
			if !finds(p.Spec.PodSelector.MatchLabels) {
				t.Errorf("%s: NetworkPolicy %s selects nothing", overlay, p.Name)
			}
		}
	}
}

// TestOnlyTheRightOnesReachAnEdge reads the policies for the edge's ports.
func TestOnlyTheRightOnesReachAnEdge(t *testing.T) {
	objects := render(t, "production")
	var denied, found bool
	for _, p := range of[*networkingv1.NetworkPolicy](objects) {
		if len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0 && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 && len(p.Spec.PolicyTypes) == 2 {
			denied = true
		}
		if p.Name != "edge" {
			continue
		}
		found = true
		for _, rule := range p.Spec.Ingress {
			if len(rule.From) == 0 || len(rule.Ports) != 1 {
				t.Errorf("a rule of the edge lets everybody in: %+v", rule)
			}
			for _, from := range rule.From {
				who := fmt.Sprint(from.NamespaceSelector, from.PodSelector)
				admin := rule.Ports[0].Port.String() == "admin"
				if admin != strings.Contains(who, "monitoring") {
					t.Errorf("port %s is open to %s", rule.Ports[0].Port, who)
				}
			}
		}
	}
	if !denied || !found {
		t.Errorf("refusing everything: %v, a policy for edges: %v", denied, found)
	}
}

// TestEdgesOfTheOverlayEndTLS follows a certificate from its Secret to the setting, and asks who speaks TLS to it.
func TestEdgesOfTheOverlayEndTLS(t *testing.T) {
	objects := render(t, "edge-tls")
	pod := pods(objects)["edge"]
	mounted := ""
	for _, v := range pod.Spec.Volumes {
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			if m.Name == v.Name && m.SubPath == "" && v.Secret != nil && v.Secret.SecretName == "edge-tls" {
				mounted = m.MountPath
			}
		}
	}
	settings := map[string]string{}
	for _, c := range of[*corev1.ConfigMap](objects) {
		if name := pod.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name; c.Name == name {
			settings = c.Data
		}
	}
	if settings["PONA_EDGE_TLS_CERT"] != mounted+"/"+corev1.TLSCertKey || settings["PONA_EDGE_TLS_KEY"] != mounted+"/"+corev1.TLSPrivateKeyKey {
		t.Errorf("the Secret is in %q, and the settings are %v", mounted, settings)
	}
	host := settings["PONA_EDGE_RELAY_NAME"]
	for _, i := range of[*networkingv1.Ingress](objects) {
		if i.Spec.Rules[0].Host != host || i.Spec.TLS[0].SecretName != "edge-tls" || i.Annotations["nginx.ingress.kubernetes.io/backend-protocol"] != "HTTPS" {
			t.Errorf("the Ingress does not speak TLS to %s: %+v", host, i)
		}
	}
	policies := of[*gatewayv1.BackendTLSPolicy](objects)
	if len(policies) != 1 || string(policies[0].Spec.Validation.Hostname) != host || policies[0].Spec.TargetRefs[0].Name != "edge" {
		t.Errorf("the Gateway does not speak TLS to %s: %+v", host, policies)
	}
	for _, s := range of[*corev1.Service](objects) {
		if s.Name == "edge" && (len(s.Spec.Ports) != 1 || s.Spec.Ports[0].AppProtocol == nil || *s.Spec.Ports[0].AppProtocol != "https") {
			t.Errorf("the Service says %+v", s.Spec.Ports)
		}
	}
}
