package check

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// TestAutoscalersAloneSayHowMany: a Deployment that says it too takes the autoscaler's answer back at each apply.
func TestAutoscalersAloneSayHowMany(t *testing.T) {
	for _, overlay := range overlays {
		objects := render(t, overlay)
		for _, h := range of[*autoscalingv2.HorizontalPodAutoscaler](objects) {
			if h.Spec.MinReplicas == nil || *h.Spec.MinReplicas < 1 || *h.Spec.MinReplicas > h.Spec.MaxReplicas {
				t.Errorf("%s: %s has an odd range", overlay, h.Name)
			}
			for _, d := range of[*appsv1.Deployment](objects) {
				if d.Name == h.Spec.ScaleTargetRef.Name && d.Spec.Replicas != nil {
					t.Errorf("%s: %s has %d replicas, and an autoscaler", overlay, d.Name, *d.Spec.Replicas)
				}
			}
		}
	}
}

// most are the pods of a service that an overlay may run at once, during a rollout.
func most(objects []runtime.Object, name string) (pods int64) {
	for _, h := range of[*autoscalingv2.HorizontalPodAutoscaler](objects) {
		if h.Spec.ScaleTargetRef.Name == name {
			pods += int64(h.Spec.MaxReplicas)
		}
	}
	for _, d := range of[*appsv1.Deployment](objects) {
		if d.Name == name {
			pods += int64(d.Spec.Strategy.RollingUpdate.MaxSurge.IntVal)
		}
	}
	return pods
}

// TestSlowReadersFitIntoMemory adds up what those keep who send, where nobody reads, to what they ask for without that.
func TestSlowReadersFitIntoMemory(t *testing.T) {
	byDefault := regexp.MustCompile("\\| `--route-queue-bytes` .* `(\\d+Mi)B` \\|")
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		objects := render(t, overlay)
		edges, fanouts, templates := most(objects, "edge"), most(objects, "fanout"), pods(objects)
		queue := byDefault.FindStringSubmatch(string(page))[1]
		for _, c := range of[*corev1.ConfigMap](objects) {
			if set, is := c.Data["PONA_FANOUT_ROUTE_QUEUE_BYTES"]; is {
				queue = strings.TrimSuffix(set, "B")
			}
		}
		memory := templates["fanout"].Spec.Containers[0].Resources
		bytes := resource.MustParse(queue)
		if need, has := memory.Requests.Memory().Value()+edges*bytes.Value(), memory.Limits.Memory().Value()/10*9; need > has {
			t.Errorf("%s: %d edges that do not read, and the rest, are %d MiB of a fanout, which has %d", overlay, edges, need>>20, has>>20)
		}
		if redis, is := templates["redis"]; is {
			c := redis.Spec.Containers[0]
			if i := slices.Index(c.Args, "--client-output-buffer-limit"); i >= 0 {
				t.Errorf("%s: Redis keeps %q, count that", overlay, c.Args[i+1])
			}
			const kept = 32 << 20 // for each subscriber, by default
			if need, has := c.Resources.Requests.Memory().Value()+(edges+fanouts)*kept, c.Resources.Limits.Memory().Value(); need > has {
				t.Errorf("%s: %d subscribers that do not read, and the rest, are %d MiB of Redis, which has %d", overlay, edges+fanouts, need>>20, has>>20)
			}
		}
	}
}

// TestTheAdapterGivesWhatTheAutoscalerAsksFor has Prometheus answer as it would to the adapter.
func TestTheAdapterGivesWhatTheAutoscalerAsksFor(t *testing.T) {
	text, err := os.ReadFile("../k8s/prometheus-adapter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Rules struct {
			Default bool
			Custom  []struct {
				SeriesQuery, MetricsQuery string
				Resources                 struct {
					Overrides map[string]struct{ Resource string }
				}
				Name struct{ As string }
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &values); err != nil || len(values.Rules.Custom) != 1 {
		t.Fatalf("%v: %+v", err, values)
	}
	rule := values.Rules.Custom[0]
	if o := rule.Resources.Overrides; len(o) != 2 || o["namespace"].Resource != "namespace" || o["pod"].Resource != "pod" {
		t.Errorf("labels are taken for %v", o)
	}
	scraped := loaded(t, `pona_edge_connections{namespace="pona",pod="edge-a",transport="polling"} 3
		pona_edge_connections{namespace="pona",pod="edge-a",transport="websocket"} 40
		pona_edge_connections{namespace="pona",pod="edge-b",transport="websocket"} 5
		pona_edge_connections{namespace="other",pod="edge-c",transport="websocket"} 6`)
	if found := scraped.ask(t, rule.SeriesQuery, time.Duration(0)); len(found) != 4 {
		t.Errorf("%s finds %v", rule.SeriesQuery, found)
	}
	name := strings.Split(rule.SeriesQuery, "{")[0]
	query := strings.NewReplacer("<<.Series>>", name, "<<.LabelMatchers>>", `namespace="pona",pod=~"edge-a|edge-b"`, "<<.GroupBy>>", "pod").Replace(rule.MetricsQuery)
	got := map[string]float64{}
	for _, sample := range scraped.ask(t, query, time.Duration(0)) {
		got[sample.Metric.Get("pod")] = sample.F
	}
	if len(got) != 2 || got["edge-a"] != 43 || got["edge-b"] != 5 {
		t.Errorf("%s is %v", query, got)
	}
	for _, overlay := range overlays {
		for _, h := range of[*autoscalingv2.HorizontalPodAutoscaler](render(t, overlay)) {
			for _, m := range h.Spec.Metrics {
				if m.Pods != nil && m.Pods.Metric.Name != rule.Name.As {
					t.Errorf("%s: %s goes by %s, and the adapter gives %s", overlay, h.Name, m.Pods.Metric.Name, rule.Name.As)
				}
			}
		}
	}
}
