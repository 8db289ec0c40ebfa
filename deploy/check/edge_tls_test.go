package check

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

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
		if i.Spec.Rules[0].Host != host || i.Spec.TLS[0].SecretName != "edge-tls" {
			t.Errorf("the Ingress is not for %s: %+v", host, i)
		}
		authority := i.Namespace + "/edge-ca"
		for key, want := range map[string]string{ // what each controller is told: to speak TLS, and what to check
			"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS", "nginx.ingress.kubernetes.io/proxy-ssl-verify": "on",
			"nginx.ingress.kubernetes.io/proxy-ssl-secret": authority, "nginx.ingress.kubernetes.io/proxy-ssl-name": host,
			"nginx.org/ssl-services": "edge",
			"haproxy.org/server-ssl": "true", "haproxy.org/server-ca": authority,
			"haproxy-ingress.github.io/secure-backends": "true", "haproxy-ingress.github.io/secure-verify-ca-secret": "edge-ca",
			"haproxy-ingress.github.io/secure-verify-hostname": host,
		} {
			if i.Annotations[key] != want {
				t.Errorf("%s is %q, want %q", key, i.Annotations[key], want)
			}
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

// TestTraefikKnowsTheName puts the component for Traefik, whose kinds the other tests do not know, on edge-tls.
func TestTraefikKnowsTheName(t *testing.T) {
	folder := t.TempDir()
	above, err := filepath.Rel(folder, root(t))
	if err != nil {
		t.Fatal(err)
	}
	text := "resources: [" + above + "/deploy/k8s/overlays/edge-tls]\ncomponents: [" + above + "/deploy/k8s/components/traefik]\n"
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var named, called, checked, host string
	for _, r := range resources.Resources() {
		object, err := r.Map()
		if err != nil {
			t.Fatal(err)
		}
		switch spec, _ := object["spec"].(map[string]any); {
		case r.GetKind() == "ServersTransport":
			called = r.GetNamespace() + "-" + r.GetName() + "@kubernetescrd"
			checked, _ = spec["serverName"].(string)
		case r.GetKind() == "Ingress":
			host, _ = spec["rules"].([]any)[0].(map[string]any)["host"].(string)
		case r.GetKind() == "Service" && r.GetName() == "edge":
			const prefix = "traefik.ingress.kubernetes.io/service."
			if named = r.GetAnnotations()[prefix+"serverstransport"]; r.GetAnnotations()[prefix+"serversscheme"] != "https" {
				t.Errorf("the Service is not called over TLS: %v", r.GetAnnotations())
			}
		}
	}
	if named != called || checked != host || host == "" {
		t.Errorf("the Service names %q, which is %q and checks %q, want %q", named, called, checked, host)
	}
}
