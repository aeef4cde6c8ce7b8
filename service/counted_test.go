package service_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// counted gives a counter's value, of the series that has the label value.
func counted(t *testing.T, from prometheus.Gatherer, name, label string) (sum float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if pair.GetValue() == label {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
