package service

import (
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// metrics are the service's own. Labels are bounded: group, stage, cause and code, never ids of any kind.
type metrics struct {
	registerer prometheus.Registerer
	all        []prometheus.Collector

	stages      *prometheus.HistogramVec
	batch       *prometheus.HistogramVec
	events      *prometheus.CounterVec
	written     *prometheus.CounterVec
	dead        *prometheus.CounterVec
	answers     *prometheus.CounterVec
	aborts      *prometheus.CounterVec
	recovery    *prometheus.HistogramVec
	replayed    *prometheus.CounterVec
	rebuilds    *prometheus.CounterVec
	suspensions *prometheus.CounterVec
	stops       *prometheus.CounterVec
	fenced      *prometheus.CounterVec
	hanging     *prometheus.CounterVec
	foreign     *prometheus.CounterVec
	faults      *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	retries     *prometheus.CounterVec
	exhausted   *prometheus.CounterVec
	rebalances  prometheus.Counter

	subscriptions subscriptionMetrics
	marked        *prometheus.CounterVec
	snapshotted   *prometheus.CounterVec
	passes        *prometheus.HistogramVec
	ignored       *prometheus.CounterVec
}

// stageBuckets reach from 50 µs to about 6.5 s.
var stageBuckets = prometheus.ExponentialBuckets(50e-6, 2, 18)

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{registerer: registerer}
	m.stages = m.histogram("stage_seconds", "Time of one stage of a batch: decide, claim, produce, offsets, end, commit, store.", stageBuckets, "group", "stage")
	m.batch = m.histogram("batch_commands", "Commands decided in one batch.", prometheus.ExponentialBuckets(1, 2, 14), "group")
	m.events = m.counter("events_total", "Events committed.", "group")
	m.written = m.counter("written_commands_total", "Commands that stateless handlers wrote in their transaction, committed.", "group")
	m.dead = m.counter("dead_letters_total", "Dead letters committed, by cause.", "group", "reason")
	m.answers = m.counter("answers_total", "Replies sent, by outcome code.", "group", "code")
	m.aborts = m.counter("aborts_total", "Batches not committed, by cause: aborted, fenced, unknown.", "group", "cause")
	m.recovery = m.histogram("recovery_seconds", "Time from the assignment of a partition until it serves.", prometheus.ExponentialBuckets(1e-3, 2, 20), "group")
	m.replayed = m.counter("replayed_events_total", "Journal events folded during recovery.", "group")
	m.rebuilds = m.counter("rebuilds_total", "Local state dropped and rebuilt from the journal, by reason.", "group", "reason")
	m.suspensions = m.counter("suspensions_total", "Partitions taken out of service to be read again, by reason.", "group", "reason")
	m.stops = m.counter("stops_total", "Partitions stopped until an operator acts, by reason.", "group", "reason")
	m.fenced = m.counter("fenced_leftovers_total", "Transactions of dead instances ended by this one.", "group")
	m.hanging = m.counter("hanging_transactions_total", "Partitions in which a decided transaction was found open for good, by its outcome.", "group", "outcome")
	m.foreign = m.counter("foreign_records_total", "Journal records that the toolkit did not write, passed over.", "group")
	m.faults = m.counter("fetch_faults_total", "Records or batches that could not be fetched or decompressed.", "group")
	m.dropped = m.counter("replies_dropped_total", "Replies and steps of progress not sent, because their reply-to is no reply topic or too many wait.", "group")
	m.retries = m.counter("retries_total", "Executions whose handler asked for another try.", "group")
	m.exhausted = m.counter("retries_exhausted_total", "Commands refused because the budget of their tries was used up.", "group")
	vec := m.counter("rebalances_total", "Changes of the assignment.")
	m.rebalances = vec.WithLabelValues()
	m.subscriptions = m.newSubscriptions()
	m.marked = m.counter("dead_letters_marked_total", "Dead letters replayed or dropped by this process.", "group", "mark")
	m.snapshotted = m.counter("snapshot_states_total", "States written to the snapshots topic.", "group")
	m.passes = m.histogram("snapshot_seconds", "Time of one pass over a partition for snapshots, by result: complete, failed.", prometheus.ExponentialBuckets(1e-3, 2, 20), "group", "result")
	m.ignored = m.counter("snapshots_ignored_total", "Recoveries that could not use the snapshots of a partition as they are, by reason.", "group", "reason")
	return m
}

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "muster", Name: name, Help: help}, labels)
	m.all = append(m.all, c)
	return c
}

func (m *metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "muster", Name: name, Help: help, Buckets: buckets}, labels)
	m.all = append(m.all, h)
	return h
}

// gauge adds a value that is read when the metrics are.
func (m *metrics) gauge(name, help string, labels prometheus.Labels, read func() float64) {
	m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "muster", Name: name, Help: help, ConstLabels: labels}, read))
}

// register hands all of them to the registerer, when there is one.
func (m *metrics) register() error {
	if m.registerer == nil {
		return nil
	}
	for i, c := range m.all {
		if err := m.registerer.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return err
		}
	}
	return nil
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.all {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) stage(group, stage string, d time.Duration) {
	m.stages.WithLabelValues(group, stage).Observe(d.Seconds())
}

// rebuilt counts rows given up, for whatever reason but age: those were not in use.
func (m *metrics) rebuilt(prefix string, r journal.Rebuilt) {
	if r.Reason != journal.ReasonExpired {
		m.rebuilds.WithLabelValues(strings.TrimPrefix(r.Group, prefix), r.Reason).Inc()
	}
}

func (m *metrics) aborted(group string, err error) {
	cause := "aborted"
	switch {
	case errors.Is(err, muster.ErrFenced):
		cause = "fenced"
	case errors.Is(err, muster.ErrUnknown):
		cause = "unknown"
	}
	m.aborts.WithLabelValues(group, cause).Inc()
}

func (m *metrics) committed(group string, d *muster.Decision) {
	m.events.WithLabelValues(group).Add(float64(len(d.Events)))
	m.written.WithLabelValues(group).Add(float64(len(d.Commands)))
	for i := range d.Dead {
		m.dead.WithLabelValues(group, d.Dead[i].Cause.Reason).Inc()
		if d.Dead[i].Cause.Reason == muster.ReasonRetriesExhausted {
			m.exhausted.WithLabelValues(group).Inc()
		}
	}
}

func (m *metrics) replied(group string, replies []muster.Reply, dropped int) {
	var byCode [17]int
	for i := range replies {
		if code := replies[i].Outcome.Code; code.Valid() {
			byCode[code]++
		} else {
			byCode[muster.Unknown]++
		}
	}
	for code, n := range byCode {
		if n > 0 {
			m.answers.WithLabelValues(group, muster.Code(code).String()).Add(float64(n))
		}
	}
	m.dropped.WithLabelValues(group).Add(float64(dropped))
}
