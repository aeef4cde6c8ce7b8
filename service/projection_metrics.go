package service

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/projector"
)

// projectionMetrics are those of projections. Their label is name@version.
type projectionMetrics struct {
	copied, events, passed, failures, letters, ignored, faults, abandoned, rebuilds, rows, bytes *prometheus.CounterVec

	batches, commits *prometheus.HistogramVec

	lag, age, rate, parked, waiting, shards, copies, copyLag *prometheus.GaugeVec
}

func (m *metrics) newProjections() projectionMetrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "muster", Name: "projection_" + name, Help: help}, append([]string{"projection"}, labels...))
		m.all = append(m.all, g)
		return g
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return m.counter("projection_"+name, help, append([]string{"projection"}, labels...)...)
	}
	return projectionMetrics{
		events:    counter("events_total", "Events whose function ran, committed."),
		copied:    counter("standby_events_total", "Events applied to copies that are kept warm, those that no function wanted too."),
		passed:    counter("passed_events_total", "Events that no function wanted, passed over."),
		failures:  counter("failures_total", "Events that could not be handled, by reason; each try counts.", "reason"),
		letters:   counter("letters_total", "Events put aside, by kind: parked, waiting, skipped.", "kind"),
		ignored:   counter("ignored_events_total", "Events of types that this build does not know, passed over."),
		faults:    counter("faults_total", "Faults of the target or the brokers, which are tried again, by reason.", "reason"),
		abandoned: counter("abandoned_total", "Functions that did not return in time and were left behind, by reason.", "reason"),
		rebuilds:  counter("rebuilds_total", "Rows of a shard given up and made anew, by reason.", "reason"),
		rows:      counter("rows_total", "Rows of views set and deleted, committed."),
		bytes:     counter("stored_bytes_total", "Bytes handed to the view store, with index entries, checkpoints and letters."),
		commits: m.histogram("projection_commit_seconds", "Time of one commit in the view store.",
			prometheus.ExponentialBuckets(1e-5, 2, 18), "projection"),
		batches: m.histogram("projection_batch_seconds", "Time of one batch, from its beginning to the end of its commit.",
			prometheus.ExponentialBuckets(1e-4, 2, 18), "projection"),
		lag:     gauge("lag_events", "Offsets of the journals that are not applied yet, in the shards of this instance."),
		age:     gauge("lag_seconds", "Age of the oldest event not applied yet, as far as known, over the shards of this instance."),
		rate:    gauge("rate_events", "Events a second over the last ten seconds, in the shards of this instance."),
		parked:  gauge("parked_keys", "Keys that are parked, in the shards of this instance."),
		waiting: gauge("letters", "Events put aside now, in the shards of this instance, by kind.", "kind"),
		shards:  gauge("shards", "Shards of this instance by state.", "state"),
		copies:  gauge("standbys", "Copies that this instance keeps warm, by state.", "state"),
		copyLag: gauge("standby_lag_events", "Offsets of the journals that are not applied yet to the copies of this instance."),
	}
}

// observe gives what a runner tells.
func (m *projectionMetrics) observe() projector.Observe {
	return projector.Observe{
		Applied: func(a projector.Applied) {
			if a.Shard.Standby {
				m.copied.WithLabelValues(a.Shard.Projection).Add(float64(a.Events + a.Passed))
				return
			}
			m.events.WithLabelValues(a.Shard.Projection).Add(float64(a.Events))
			m.passed.WithLabelValues(a.Shard.Projection).Add(float64(a.Passed))
			m.batches.WithLabelValues(a.Shard.Projection).Observe(a.Took.Seconds())
		},
		Failed: func(f projector.Failed) {
			if !f.Shard.Standby { // what fails in a copy fails where the shard is held
				m.failures.WithLabelValues(f.Shard.Projection, f.Reason).Inc()
			}
		},
		PutAside: func(p projector.PutAside) {
			if !p.Shard.Standby {
				m.letters.WithLabelValues(p.Shard.Projection, string(p.Kind)).Inc()
			}
		},
		Ignored: func(i projector.Ignored) {
			if !i.Shard.Standby {
				m.ignored.WithLabelValues(i.Shard.Projection).Inc()
			}
		},
		Fault:     func(f projector.Fault) { m.faults.WithLabelValues(f.Shard.Projection, f.Reason).Inc() },
		Abandoned: func(a projector.Abandoned) { m.abandoned.WithLabelValues(a.Shard.Projection, a.Reason).Inc() },
	}
}

func (m *projectionMetrics) stored(c projector.StoreCommitted) {
	m.rows.WithLabelValues(c.Projection).Add(float64(c.Rows))
	m.bytes.WithLabelValues(c.Projection).Add(float64(c.Bytes))
	m.commits.WithLabelValues(c.Projection).Observe(c.Took.Seconds())
}

func (m *projectionMetrics) rebuilt(r projector.StoreRebuilt) {
	m.rebuilds.WithLabelValues(r.Projection, r.Reason).Inc()
}

// begin shows the counters of a projection before anything has happened, where all their labels are known.
func (m *projectionMetrics) begin(projection string) {
	for _, c := range []*prometheus.CounterVec{m.events, m.passed, m.ignored, m.copied} {
		c.WithLabelValues(projection)
	}
	for _, kind := range []projector.Kind{projector.Parked, projector.Waiting, projector.Skipped} {
		m.letters.WithLabelValues(projection, string(kind))
	}
}

// gaugeInterval is how old the gauges of projections are at most.
const gaugeInterval = time.Second

// gaugeProjections renews the gauges until ctx ends.
func (s *Service) gaugeProjections(ctx context.Context) {
	tick := time.NewTicker(gaugeInterval)
	defer tick.Stop()
	for {
		for _, p := range s.projections {
			s.metrics.projections.set(p.String(), p.statuses())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// set renews the gauges of one projection.
func (m *projectionMetrics) set(name string, all []projector.Status) {
	var lag, copyLag int64
	var age time.Duration
	var rate float64
	var parked int
	letters, states, copies := map[projector.Kind]int{}, map[projector.State]int{}, map[projector.State]int{}
	for i := range all {
		one := &all[i]
		if one.Standby {
			copyLag += one.Lag
			copies[one.State]++
			continue
		}
		lag, age, rate, parked = lag+one.Lag, max(age, one.LagTime), rate+one.Rate, parked+one.Parked
		states[one.State]++
		for kind, n := range one.Letters {
			letters[kind] += n
		}
	}
	m.lag.WithLabelValues(name).Set(float64(lag))
	m.copyLag.WithLabelValues(name).Set(float64(copyLag))
	m.age.WithLabelValues(name).Set(age.Seconds())
	m.rate.WithLabelValues(name).Set(rate)
	m.parked.WithLabelValues(name).Set(float64(parked))
	for _, kind := range []projector.Kind{projector.Parked, projector.Waiting, projector.Skipped} {
		m.waiting.WithLabelValues(name, string(kind)).Set(float64(letters[kind]))
	}
	for _, state := range []projector.State{
		projector.Claiming, projector.CatchingUp, projector.Live, projector.Retrying, projector.Away, projector.Paused, projector.Stopped,
	} {
		m.shards.WithLabelValues(name, string(state)).Set(float64(states[state]))
		m.copies.WithLabelValues(name, string(state)).Set(float64(copies[state]))
	}
}
