package check

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// names are an overlay's objects for those who look one of them up by name.
type names struct {
	t         *testing.T
	overlay   string
	objects   []runtime.Object
	templates map[string]corev1.PodTemplateSpec
}

// TestNamesFindSomething looks up everything that names something else.
func TestNamesFindSomething(t *testing.T) {
	for _, overlay := range overlays {
		objects := render(t, overlay)
		n := names{t, overlay, objects, pods(objects)}
		n.workloads()
		n.services()
		n.policies()
		n.probes()
		n.routes()
		n.monitors()
		n.addresses()
	}
}

func (n names) complain(format string, a ...any) {
	n.t.Helper()
	n.t.Errorf(n.overlay+": "+format, a...)
}

// selected are the pods that a selector finds. One that finds none is complained of.
func (n names) selected(who string, selector *metav1.LabelSelector) (found []corev1.PodTemplateSpec) {
	n.t.Helper()
	for _, pod := range n.templates {
		if selects(n.t, selector, pod.Labels) {
			found = append(found, pod)
		}
	}
	if len(found) == 0 {
		n.complain("%s selects nothing: %s", who, metav1.FormatLabelSelector(selector))
	}
	return found
}

// port is the number of a pod's port that is named, or given by its number.
func port(pod corev1.PodTemplateSpec, is intstr.IntOrString) (number int32, found bool) {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if is.Type == intstr.String && p.Name == is.StrVal || is.Type == intstr.Int && p.ContainerPort == is.IntVal {
				return p.ContainerPort, true
			}
		}
	}
	return 0, false
}

// workloads follows those who run pods, those who bound their number, and how pods are spread.
func (n names) workloads() {
	for _, d := range of[*appsv1.Deployment](n.objects) {
		if !selects(n.t, d.Spec.Selector, d.Spec.Template.Labels) {
			n.complain("Deployment %s does not find its pods", d.Name)
		}
	}
	for _, s := range of[*appsv1.StatefulSet](n.objects) {
		if !selects(n.t, s.Spec.Selector, s.Spec.Template.Labels) || n.service(s.Spec.ServiceName) == nil {
			n.complain("StatefulSet %s does not find its pods or its Service", s.Name)
		}
	}
	for _, h := range of[*autoscalingv2.HorizontalPodAutoscaler](n.objects) {
		is := func(d *appsv1.Deployment) bool { return d.Name == h.Spec.ScaleTargetRef.Name }
		if h.Spec.ScaleTargetRef.Kind != "Deployment" || !slices.ContainsFunc(of[*appsv1.Deployment](n.objects), is) {
			n.complain("HorizontalPodAutoscaler %s scales nothing", h.Name)
		}
	}
	for _, b := range of[*policyv1.PodDisruptionBudget](n.objects) {
		n.selected("PodDisruptionBudget "+b.Name, b.Spec.Selector)
	}
	for name, pod := range n.templates {
		for _, c := range pod.Spec.TopologySpreadConstraints {
			if !selects(n.t, c.LabelSelector, pod.Labels) {
				n.complain("%s is spread over each %s as others are", name, c.TopologyKey)
			}
		}
		if account := pod.Spec.ServiceAccountName; account != "" &&
			!slices.ContainsFunc(of[*corev1.ServiceAccount](n.objects), func(a *corev1.ServiceAccount) bool { return a.Name == account }) {
			n.complain("%s has the account %s, which is not there", name, account)
		}
	}
}

func (n names) service(name string) *corev1.Service {
	for _, s := range of[*corev1.Service](n.objects) {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// services follows each port of a Service to those of its pods.
func (n names) services() {
	for _, s := range of[*corev1.Service](n.objects) {
		for _, pod := range n.selected("Service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}) {
			for _, p := range s.Spec.Ports {
				number, found := port(pod, p.TargetPort)
				if !found {
					n.complain("Service %s: its pods have no port %s", s.Name, p.TargetPort.String())
				}
				if s.Spec.ClusterIP == corev1.ClusterIPNone && number != p.Port {
					n.complain("Service %s is headless: who asks for it calls its pods at %d, which have %d", s.Name, p.Port, number)
				}
			}
		}
	}
}

// policies follows those whom a policy is for, those whom it names, and their ports.
func (n names) policies() {
	for _, p := range of[*networkingv1.NetworkPolicy](n.objects) {
		ours := n.selected("NetworkPolicy "+p.Name, &p.Spec.PodSelector)
		for _, rule := range p.Spec.Ingress {
			n.peers(p.Name, rule.From)
			n.ports(p.Name, ours, rule.Ports)
		}
		for _, rule := range p.Spec.Egress {
			n.ports(p.Name, n.peers(p.Name, rule.To), rule.Ports)
		}
	}
}

// peers are those with us whom a policy names. Who is elsewhere needs labels of ours that operators are told of.
func (n names) peers(policy string, peers []networkingv1.NetworkPolicyPeer) (found []corev1.PodTemplateSpec) {
	page := operations(n.t)
	for _, peer := range peers {
		if peer.PodSelector != nil && peer.NamespaceSelector == nil {
			found = append(found, n.selected("a peer of NetworkPolicy "+policy, peer.PodSelector)...)
			continue
		}
		for _, selector := range []*metav1.LabelSelector{peer.NamespaceSelector, peer.PodSelector} {
			if selector == nil {
				continue
			}
			for key, value := range selector.MatchLabels {
				told := regexp.MustCompile(regexp.QuoteMeta(key) + "(=|: )" + regexp.QuoteMeta(value) + `\b`)
				if strings.HasPrefix(key, "pona.dev/") && !told.MatchString(page) {
					n.complain("NetworkPolicy %s: docs/operations.md does not say who needs %s: %s", policy, key, value)
				}
			}
		}
	}
	return found
}

func (n names) ports(policy string, pods []corev1.PodTemplateSpec, ports []networkingv1.NetworkPolicyPort) {
	for _, pod := range pods {
		for _, p := range ports {
			if p.Port == nil {
				continue // all there are
			}
			if _, found := port(pod, *p.Port); !found {
				n.complain("NetworkPolicy %s: %v has no port %s", policy, pod.Labels, p.Port.String())
			}
		}
	}
}

// probes follows each to a port of its container.
func (n names) probes() {
	for name, pod := range n.templates {
		for _, c := range pod.Spec.Containers {
			alone := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{c}}}
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				var asks intstr.IntOrString
				switch {
				case probe == nil:
					continue
				case probe.HTTPGet != nil:
					asks = probe.HTTPGet.Port
				case probe.TCPSocket != nil:
					asks = probe.TCPSocket.Port
				}
				if _, found := port(alone, asks); !found {
					n.complain("%s: a probe asks the port %s, which it has not", name, asks.String())
				}
			}
		}
	}
}

// routes follows Ingresses and what belongs to Gateways to Services.
func (n names) routes() {
	has := func(who, service string, is func(corev1.ServicePort) bool) {
		n.t.Helper()
		if s := n.service(service); s == nil || !slices.ContainsFunc(s.Spec.Ports, is) {
			n.complain("%s leads to a port of Service %s that is not there", who, service)
		}
	}
	for _, i := range of[*networkingv1.Ingress](n.objects) {
		for _, rule := range i.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				to := path.Backend.Service
				has("Ingress "+i.Name, to.Name, func(p corev1.ServicePort) bool {
					return to.Port.Name != "" && p.Name == to.Port.Name || p.Port == to.Port.Number
				})
			}
		}
	}
	for _, r := range of[*gatewayv1.HTTPRoute](n.objects) {
		for _, parent := range r.Spec.ParentRefs {
			if parent.SectionName == nil {
				n.complain("HTTPRoute %s takes every listener of its Gateway, those without TLS too", r.Name)
			}
		}
		for _, rule := range r.Spec.Rules {
			for _, to := range rule.BackendRefs {
				has("HTTPRoute "+r.Name, string(to.Name), func(p corev1.ServicePort) bool { return to.Port != nil && p.Port == *to.Port })
			}
		}
	}
	for _, p := range of[*gatewayv1.BackendTLSPolicy](n.objects) {
		for _, target := range p.Spec.TargetRefs {
			has("BackendTLSPolicy "+p.Name, string(target.Name), func(corev1.ServicePort) bool { return true })
		}
	}
}

// monitors follows what Prometheus scrapes to Services of all that have an admin port.
func (n names) monitors() {
	for _, m := range of[*monitoringv1.ServiceMonitor](n.objects) {
		for _, endpoint := range m.Spec.Endpoints {
			scraped := labels.Set{}
			for _, s := range of[*corev1.Service](n.objects) {
				if selects(n.t, &m.Spec.Selector, s.Labels) {
					if !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == endpoint.Port }) {
						n.complain("ServiceMonitor %s: Service %s has no port %s", m.Name, s.Name, endpoint.Port)
					}
					scraped = labels.Merge(scraped, labels.Set{s.Spec.Selector["app.kubernetes.io/name"]: s.Name})
				}
			}
			for name, pod := range n.templates {
				if _, found := port(pod, intstr.FromString(endpoint.Port)); found != scraped.Has(name) {
					n.complain("ServiceMonitor %s scrapes %s: %v, which has a port %s: %v", m.Name, name, scraped.Has(name), endpoint.Port, found)
				}
			}
		}
	}
}

var isAddress = regexp.MustCompile(`^PONA_(EDGE_FANOUT|FANOUT_NATS_URL|(EDGE|FANOUT)_REDIS_URL)$`)

// addresses follows settings that name a Service.
func (n names) addresses() {
	found := map[string]string{}
	for _, c := range of[*corev1.ConfigMap](n.objects) {
		for key, value := range c.Data {
			found[key] = value
		}
	}
	for _, s := range of[*corev1.Secret](n.objects) {
		for key, value := range s.Data {
			found[key] = string(value)
		}
	}
	for key, value := range found {
		if !isAddress.MatchString(key) {
			continue
		}
		u, err := url.Parse(value)
		if err != nil {
			n.complain("%s: %v", key, err)
			continue
		}
		host, number, err := net.SplitHostPort(hostOf(u))
		s := n.service(host)
		if err != nil || s == nil || !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return strconv.Itoa(int(p.Port)) == number }) {
			n.complain("%s is %s, which no Service is", key, value)
		}
	}
	if found["PONA_EDGE_FANOUT"] == "" {
		n.complain("edges are not told where fanouts are")
	}
}

// hostOf is a URL's host and port, which in gRPC's dns:///host:port is the path.
func hostOf(u *url.URL) string {
	if u.Scheme == "dns" {
		return strings.TrimPrefix(u.Path, "/")
	}
	return u.Host
}

// operations is docs/operations.md.
func operations(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestSecretsAreDocumented holds the table of Secrets to those that each overlay leaves to its operators.
func TestSecretsAreDocumented(t *testing.T) {
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `.*\\| ([^|]+) \\|$").FindAllStringSubmatch(operations(t), -1) {
		rows[row[1]] = row[2]
	}
	for _, overlay := range overlays {
		objects := render(t, overlay)
		named := secrets(objects)
		for _, s := range of[*corev1.Secret](objects) {
			delete(named, s.Name)
		}
		for name := range named {
			if !strings.Contains(rows[name], "`"+overlay+"`") {
				t.Errorf("docs/operations.md does not say that %s needs the Secret %s", overlay, name)
			}
		}
		for name, where := range rows {
			if !named[name] && strings.Contains(where, "`"+overlay+"`") {
				t.Errorf("docs/operations.md says that %s needs the Secret %s", overlay, name)
			}
		}
	}
}

// secrets are the names of those that pods and Ingresses refer to.
func secrets(objects []runtime.Object) map[string]bool {
	named := map[string]bool{}
	for _, pod := range pods(objects) {
		for _, v := range pod.Spec.Volumes {
			if v.Secret != nil {
				named[v.Secret.SecretName] = true
			}
		}
		for _, c := range pod.Spec.Containers {
			for _, from := range c.EnvFrom {
				if from.SecretRef != nil {
					named[from.SecretRef.Name] = true
				}
			}
		}
	}
	for _, i := range of[*networkingv1.Ingress](objects) {
		for _, tls := range i.Spec.TLS {
			named[tls.SecretName] = true
		}
		for key, value := range i.Annotations {
			if strings.HasSuffix(key, "-secret") || strings.HasSuffix(key, "/server-ca") {
				named[strings.TrimPrefix(value, "pona/")] = true
			}
		}
	}
	return named
}
