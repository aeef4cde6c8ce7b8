package main

import (
	"math"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// gathered is the metrics of a service at one moment, by name.
type gathered map[string][]*dto.Metric

func (o *owner) gather() (gathered, error) {
	families, err := o.metrics.Gather()
	if err != nil {
		return nil, err
	}
	all := gathered{}
	for _, f := range families {
		all[f.GetName()] = f.GetMetric()
	}
	return all, nil
}

// sum adds up the counters of a name; with a label value only those that carry it.
func (g gathered) sum(name, label string) float64 {
	total := 0.0
	for _, m := range g[name] {
		if label == "" || labelled(m, label) {
			total += m.GetCounter().GetValue()
		}
	}
	return total
}

func labelled(m *dto.Metric, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetValue() == value {
			return true
		}
	}
	return false
}

// stages gives the number of batches, their mean size, and the mean time of each stage of a batch in milliseconds.
func (o *owner) stages() (map[string]float64, error) {
	all, err := o.gather()
	if err != nil {
		return nil, err
	}
	detail := map[string]float64{}
	for _, m := range all["muster_batch_commands"] {
		detail["batches"] = float64(m.GetHistogram().GetSampleCount())
		detail["batch_mean"] = mean(m.GetHistogram())
	}
	for _, m := range all["muster_stage_seconds"] {
		for _, l := range m.GetLabel() {
			if l.GetName() == "stage" {
				detail[strings.ReplaceAll(l.GetValue(), "-", "_")+"_mean_ms"] = 1000 * mean(m.GetHistogram())
			}
		}
	}
	if aborts := all.sum("muster_aborts_total", ""); aborts > 0 {
		detail["aborts"] = aborts
	}
	return detail, nil
}

func mean(h *dto.Histogram) float64 {
	if h.GetSampleCount() == 0 {
		return 0
	}
	return h.GetSampleSum() / float64(h.GetSampleCount())
}

// commits gives the median time of a commit in milliseconds, and an upper bound of the share that took more than so much longer. The
// service keeps a histogram only: the median lies somewhere in its bucket, of which the lower end is taken, and every commit beyond the
// last bucket border below the limit counts.
func (g gathered) commits(longer time.Duration) (medianMS, share float64) {
	for _, m := range g["muster_stage_seconds"] {
		if !labelled(m, "commit") {
			continue
		}
		h := m.GetHistogram()
		low, middle := 0.0, math.Inf(1)
		for _, b := range h.GetBucket() {
			if 2*b.GetCumulativeCount() >= h.GetSampleCount() {
				middle = b.GetUpperBound()
				break
			}
			low = b.GetUpperBound()
		}
		within := uint64(0)
		for _, b := range h.GetBucket() {
			if b.GetUpperBound() <= low+longer.Seconds() {
				within = b.GetCumulativeCount()
			}
		}
		return 500 * (low + middle), 1 - float64(within)/float64(max(1, h.GetSampleCount()))
	}
	return 0, 0
}
