package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ways are all that may be: from, to, ports. "outside" is everybody out of our namespace.
var ways = map[string][]string{
	"": { // in every overlay
		"balancer edge 8080", "edge edge 8080",
		"edge fanout 7070", "bot fanout 7070",
		"monitoring edge 9090", "monitoring fanout 9091",
		"edge dns 53 53/udp", "fanout dns 53 53/udp",
		"edge outside 443", // Discord, or a JWKS
	},
	"dev":        {"fanout nats 4222", "fanout redis 6379", "edge redis 6379"},
	"production": {"fanout backing 4222 6379 26379", "edge backing 6379 26379"},
}

// endpoint is a pod, or an address that is none of the cluster's.
type endpoint struct {
	namespace          string // "" for an address
	ofNamespace, ofPod labels.Set
	ports              []corev1.ContainerPort
	address            netip.Addr
}

// TestPoliciesLetThroughWhatIsNeededAndNothingElse asks of everybody whether they reach everybody at every port.
func TestPoliciesLetThroughWhatIsNeededAndNothingElse(t *testing.T) {
	for _, overlay := range overlays {
		objects := render(t, overlay)
		policies := of[*networkingv1.NetworkPolicy](objects)
		for _, p := range policies {
			if len(p.Spec.PolicyTypes) == 0 {
				t.Errorf("%s: %s leaves its policyTypes to be guessed", overlay, p.Name)
			}
		}
		all := endpoints(t, objects)
		allowed := map[string]bool{}
		for _, way := range slices.Concat(ways[""], ways[backing(overlay)]) {
			fields := strings.Fields(way)
			for to, e := range all {
				if to != fields[1] && (fields[1] != "outside" || e.namespace == "pona") {
					continue
				}
				for _, port := range fields[2:] {
					allowed[fields[0]+" "+to+" "+port] = true
				}
			}
			if all[fields[0]] == nil || all[fields[1]] == nil && fields[1] != "outside" {
				t.Errorf("%s: there is no such way as %s", overlay, way)
			}
		}
		for from, source := range all {
			for to, target := range all {
				if source.namespace != "pona" && target.namespace != "pona" {
					continue // nothing of ours
				}
				for _, port := range []string{"53", "53/udp", "443", "4222", "6379", "7070", "8080", "9090", "9091", "26379"} {
					way := from + " " + to + " " + port
					if is := reaches(t, policies, source, target, port); is != allowed[way] {
						t.Errorf("%s: %s: allowed is %v, want %v", overlay, way, is, allowed[way])
					}
				}
			}
		}
	}
}

// backing names where an overlay's NATS and Redis are.
func backing(overlay string) string {
	if overlay == "dev" {
		return overlay
	}
	return "production"
}

// endpoints are our pods, and who else may be about.
func endpoints(t *testing.T, objects []runtime.Object) map[string]*endpoint {
	t.Helper()
	pod := func(namespace string, ofNamespace, ofPod labels.Set) *endpoint {
		ofNamespace = labels.Merge(ofNamespace, labels.Set{corev1.LabelMetadataName: namespace})
		return &endpoint{namespace: namespace, ofNamespace: ofNamespace, ofPod: ofPod}
	}
	bot := labels.Set{"pona.dev/role": "bot"}
	all := map[string]*endpoint{
		"balancer":   pod("ingress-nginx", labels.Set{"pona.dev/role": "ingress"}, nil),
		"monitoring": pod("monitoring", labels.Set{"pona.dev/role": "monitoring"}, nil),
		"dns":        pod(metav1.NamespaceSystem, nil, labels.Set{"k8s-app": "kube-dns"}),
		"bot":        pod("bots", labels.Set{"pona.dev/bots": "true"}, bot),
		"neighbour":  pod("bots", labels.Set{"pona.dev/bots": "true"}, nil), // of bots, and none
		"impostor":   pod("other", nil, bot),
		"double":     pod("other", nil, labels.Set{"app.kubernetes.io/name": "edge"}),
		"stranger":   pod("other", nil, nil),
		"lodger":     pod("pona", nil, nil), // with us, and none of ours
		"lodgingBot": pod("pona", nil, bot),
		"internet":   {address: netip.MustParseAddr("203.0.113.1")},
		"backing":    {address: netip.MustParseAddr("10.1.0.1")},
	}
	for name, template := range pods(objects) {
		all[name] = pod("pona", nil, template.Labels)
		for _, c := range template.Spec.Containers {
			all[name].ports = append(all[name].ports, c.Ports...)
		}
	}
	for _, n := range of[*corev1.Namespace](objects) {
		for _, e := range all {
			if e.namespace == n.Name {
				e.ofNamespace = labels.Merge(e.ofNamespace, n.Labels)
			}
		}
	}
	return all
}

// reaches tells whether policies let one endpoint connect to a port of another: the source's let it out, the target's in.
func reaches(t *testing.T, policies []*networkingv1.NetworkPolicy, source, target *endpoint, port string) bool {
	t.Helper()
	return passes(t, policies, networkingv1.PolicyTypeEgress, source, target, target, port) &&
		passes(t, policies, networkingv1.PolicyTypeIngress, target, source, target, port)
}

// passes asks the policies of one end about the other. Where none is for this direction, everything passes.
func passes(t *testing.T, policies []*networkingv1.NetworkPolicy, direction networkingv1.PolicyType, one, other, target *endpoint, port string) bool {
	t.Helper()
	isolated := false
	for _, p := range policies {
		if p.Namespace != one.namespace || !slices.Contains(p.Spec.PolicyTypes, direction) || !selects(t, &p.Spec.PodSelector, one.ofPod) {
			continue
		}
		isolated = true
		if direction == networkingv1.PolicyTypeIngress {
			for _, rule := range p.Spec.Ingress {
				if isPeer(t, p, rule.From, other) && hasPort(rule.Ports, target, port) {
					return true
				}
			}
			continue
		}
		for _, rule := range p.Spec.Egress {
			if isPeer(t, p, rule.To, other) && hasPort(rule.Ports, target, port) {
				return true
			}
		}
	}
	return !isolated
}

// isPeer tells whether an endpoint is one of a rule's peers; without any, everybody is. A block of addresses has no pods in it:
// not every network looks for them there.
func isPeer(t *testing.T, p *networkingv1.NetworkPolicy, peers []networkingv1.NetworkPolicyPeer, e *endpoint) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		switch {
		case peer.IPBlock != nil:
			within := func(block string) bool { return netip.MustParsePrefix(block).Contains(e.address) }
			return e.namespace == "" && within(peer.IPBlock.CIDR) && !slices.ContainsFunc(peer.IPBlock.Except, within)
		case e.namespace == "":
			return false
		case peer.NamespaceSelector == nil && e.namespace != p.Namespace:
			return false
		}
		return (peer.NamespaceSelector == nil || selects(t, peer.NamespaceSelector, e.ofNamespace)) &&
			(peer.PodSelector == nil || selects(t, peer.PodSelector, e.ofPod))
	})
}

// hasPort tells whether a port of the target, such as 53/udp, is among a rule's; without any, every port is.
func hasPort(ports []networkingv1.NetworkPolicyPort, target *endpoint, asked string) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		var number int32
		_, _ = fmt.Sscan(asked, &number) // those asked for are numbers
		protocol := corev1.ProtocolTCP
		if strings.HasSuffix(asked, "/udp") {
			protocol = corev1.ProtocolUDP
		}
		switch {
		case p.Protocol != nil && *p.Protocol != protocol, p.Protocol == nil && protocol != corev1.ProtocolTCP:
			return false
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.String:
			return slices.ContainsFunc(target.ports, func(c corev1.ContainerPort) bool { return c.Name == p.Port.StrVal && c.ContainerPort == number })
		case p.EndPort != nil:
			return number >= p.Port.IntVal && number <= *p.EndPort
		}
		return number == p.Port.IntVal
	})
}

// selects tells whether a selector takes labels.
func selects(t *testing.T, selector *metav1.LabelSelector, of labels.Set) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(of)
}
