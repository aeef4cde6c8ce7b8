package service_test

import (
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// series gives the metrics of one name that have the labels.
func series(t *testing.T, from prometheus.Gatherer, name string, labels map[string]string) []*dto.Metric {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var found []*dto.Metric
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := map[string]string{}
			for _, l := range m.GetLabel() {
				if _, wanted := labels[l.GetName()]; wanted {
					has[l.GetName()] = l.GetValue()
				}
			}
			if maps.Equal(has, labels) || len(labels) == 0 {
				found = append(found, m)
			}
		}
	}
	return found
}

// total sums counters, or gauges.
func total(t *testing.T, from prometheus.Gatherer, name string, labels map[string]string) float64 {
	t.Helper()
	sum := 0.0
	for _, m := range series(t, from, name, labels) {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sum
}
