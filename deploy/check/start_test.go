package check

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// elsewhere are the Secrets that docs/operations.md tells operators to make.
var elsewhere = map[string]map[string]string{
	"edge": {
		"PONA_EDGE_CLUSTER_KEY": strings.Repeat("k", 64), "PONA_EDGE_DISCORD_BOT_TOKEN": "of the bot", "PONA_EDGE_REDIS_URL": "redis://127.0.0.1:1",
	},
	"fanout": {"PONA_FANOUT_NATS_URL": "nats://127.0.0.1:1", "PONA_FANOUT_REDIS_URL": "redis://127.0.0.1:1"},
}

// TestProgramsTakeTheirSettings starts edges and fanouts with the settings that deploy/ gives them. They refuse what they do
// not know or cannot use.
func TestProgramsTakeTheirSettings(t *testing.T) {
	programs := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs, "./services/edge/cmd/edge", "./services/fanout/cmd/fanout")
	build.Dir = root(t)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range elsewhere {
		if row := "| `" + name + "` | `" + strings.Join(slices.Sorted(maps.Keys(keys)), "`, `") + "` |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/operations.md has no %s", row)
		}
	}

	for name, service := range compose(t, "traces.yaml").Services {
		program, _, _ := strings.Cut(name, "-")
		if program == "edge" || program == "fanout" {
			settings := map[string]string{}
			for key, value := range service.Environment {
				settings[key] = *value
			}
			t.Run("compose "+name, func(t *testing.T) { starts(t, programs, program, settings) })
		}
	}
	for _, overlay := range overlays {
		objects := render(t, overlay)
		for _, program := range []string{"edge", "fanout"} {
			t.Run(overlay+" "+program, func(t *testing.T) {
				starts(t, programs, program, environment(t, objects, pods(objects)[program].Spec))
			})
		}
	}
}

// environment is what the variables of a pod's container are, with files in place of mounted Secrets.
func environment(t *testing.T, objects []runtime.Object, pod corev1.PodSpec) map[string]string {
	t.Helper()
	container, all := pod.Containers[0], map[string]string{}
	for _, from := range container.EnvFrom {
		if from.SecretRef == nil {
			for _, c := range of[*corev1.ConfigMap](objects) {
				if c.Name == from.ConfigMapRef.Name {
					maps.Copy(all, c.Data)
				}
			}
			continue
		}
		found := elsewhere[from.SecretRef.Name]
		for _, s := range of[*corev1.Secret](objects) {
			if s.Name == from.SecretRef.Name {
				found = map[string]string{}
				for key, value := range s.Data {
					found[key] = string(value)
				}
			}
		}
		maps.Copy(all, found)
	}
	for _, variable := range container.Env {
		all[variable.Name] = strings.ReplaceAll(cmp.Or(variable.Value, "127-0-0-1"), "$(POD_IP)", "127.0.0.1")
	}
	files := secretFiles(t)
	for key, value := range all {
		for _, mount := range container.VolumeMounts {
			if file, inside := strings.CutPrefix(value, mount.MountPath+"/"); inside {
				all[key] = filepath.Join(files, file)
			}
		}
	}
	return all
}

// secretFiles is a folder with what Secrets hold of TLS, and of bots.
func secretFiles(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "bots"), []byte("a token of one bot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := &pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}
	for file, block := range map[string]*pem.Block{
		corev1.TLSCertKey: certificate, corev1.ServiceAccountRootCAKey: certificate, corev1.TLSPrivateKeyKey: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// starts runs a program with settings, but for the ports it listens on, until it says that it has started.
func starts(t *testing.T, programs, program string, settings map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(programs, program))
	prefix := "PONA_" + strings.ToUpper(program)
	for key, value := range settings {
		command.Env = append(command.Env, key+"="+value)
	}
	for _, port := range map[string][]string{"edge": {"_LISTEN", "_ADMIN"}, "fanout": {"_GRPC", "_ADMIN"}}[program] {
		command.Env = append(command.Env, prefix+port+"=127.0.0.1:0")
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	started := false
	for lines := bufio.NewScanner(stderr); !started && lines.Scan(); {
		said = append(said, lines.Text())
		started = strings.Contains(lines.Text(), program+" started")
	}
	cancel()
	_ = command.Wait() // it was us
	if !started {
		t.Errorf("did not start: %s", strings.Join(said, "\n"))
	}
}
