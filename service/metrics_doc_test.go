package service_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// The table in docs/metrics.md and the metrics that a service registers are the same, both ways: names, types, labels.
func TestMetricsAreDocumented(t *testing.T) {
	documented := documentedMetrics(t)
	registered := registeredMetrics(t)
	for _, name := range slices.Sorted(maps.Keys(registered)) {
		switch told, known := documented[name]; {
		case !known:
			t.Errorf("%s (%s) is registered, but not in docs/metrics.md", name, registered[name])
		case told != registered[name]:
			t.Errorf("%s is %s, docs/metrics.md says %s", name, registered[name], told)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if _, known := registered[name]; !known {
			t.Errorf("%s is in docs/metrics.md, but not registered", name)
		}
	}
	if len(registered) < 10 {
		t.Errorf("only %d metrics were registered; does this test still see them?", len(registered))
	}
}

// metricRow is a row of the table: name, type, labels in quotes.
var metricRow = regexp.MustCompile("(?m)^\\| `(muster_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\| .+ \\|$")

// documentedMetrics gives type and labels of each metric by name, as "counter of group, reason".
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		if _, twice := found[row[1]]; twice {
			t.Errorf("%s has two rows", row[1])
		}
		labels := strings.ReplaceAll(strings.TrimSpace(row[3]), "`", "")
		found[row[1]] = described(row[2], strings.Split(labels, ", "))
	}
	return found
}

// registeredMetrics gives the same of what a service that owns a group registers when it opens.
func registeredMetrics(t *testing.T) map[string]string {
	t.Helper()
	seen := &listingRegistry{Registry: prometheus.NewRegistry()}
	cfg := service.Config{
		Name: kafkatest.UniqueName(t, "bank"), Brokers: kafkatest.Embedded(t, embedded.Config{}).Brokers(), DataDir: t.TempDir(), Metrics: seen, Privacy: memoryPrivacy(),
		Erasure: &service.ErasureConfig{KeySpace: kafkatest.UniqueName(t, "bank"), Rotation: &service.KeyRotation{}},
	}
	s, err := service.Open(t.Context(), cfg, newBank(t).owner(nil))
	if err != nil {
		t.Fatal(err)
	}
	families, err := seen.Gather() // before Close, which takes them back
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	types := map[string]string{}
	for _, family := range families {
		types[family.GetName()] = strings.ToLower(family.GetType().String())
	}
	found := map[string]string{}
	for _, c := range seen.all {
		name, labels := descOf(t, c)
		switch c.(type) {
		case *prometheus.CounterVec:
			types[name] = "counter"
		case *prometheus.GaugeVec:
			types[name] = "gauge"
		case *prometheus.HistogramVec:
			types[name] = "histogram"
		}
		found[name] = described(types[name], labels)
	}
	return found
}

func described(kind string, labels []string) string {
	slices.Sort(labels)
	return kind + " of " + strings.Trim(strings.Join(slices.Compact(labels), ", "), ", ")
}

// listingRegistry keeps what is registered, too: a metric with labels shows in no other way before it has a value.
type listingRegistry struct {
	*prometheus.Registry
	mu  sync.Mutex // guards all
	all []prometheus.Collector
}

// Register implements [prometheus.Registerer].
func (l *listingRegistry) Register(c prometheus.Collector) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, c)
	return l.Registry.Register(c)
}

// The text of a description is the only thing that tells its name and labels.
var (
	descName     = regexp.MustCompile(`fqName: "([^"]*)"`)
	descConst    = regexp.MustCompile(`constLabels: \{(.*?)\}`)
	descVariable = regexp.MustCompile(`variableLabels: \{(.*?)\}`)
	descLabel    = regexp.MustCompile(`([a-z_]+)(?:="[^"]*")?`)
)

func descOf(t *testing.T, c prometheus.Collector) (name string, labels []string) {
	t.Helper()
	descs := make(chan *prometheus.Desc, 1)
	c.Describe(descs)
	text := (<-descs).String()
	parts := [3][]string{descName.FindStringSubmatch(text), descConst.FindStringSubmatch(text), descVariable.FindStringSubmatch(text)}
	for _, part := range parts {
		if part == nil {
			t.Fatalf("the client library describes a metric in another way than this test reads: %s", text)
		}
	}
	for _, list := range parts[1:] {
		for _, label := range descLabel.FindAllStringSubmatch(list[1], -1) {
			labels = append(labels, label[1])
		}
	}
	return parts[0][1], labels
}
