package service

import (
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/journal"
)

// metrics are the service's own. Labels are bounded: group, stage, cause and code, never ids of any kind.
type metrics struct {
	registerer prometheus.Registerer
	all        []prometheus.Collector
	plain      []*prometheus.CounterVec // counters by group alone; begin sets them to zero

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
	rebalances  *prometheus.CounterVec

	handling     *prometheus.HistogramVec
	sending      *prometheus.HistogramVec
	sendFailures *prometheus.CounterVec
	takeover     *prometheus.HistogramVec
	output       *prometheus.HistogramVec

	subscriptions subscriptionMetrics
	projections   projectionMetrics
	marked        *prometheus.CounterVec
	snapshotted   *prometheus.CounterVec
	passes        *prometheus.HistogramVec
	ignored       *prometheus.CounterVec
	trimmed       *prometheus.CounterVec
	erasures      *prometheus.GaugeVec
	overdue       prometheus.Gauge
}

// stageBuckets are in seconds. They are close together from 1 to 50 ms, where a commit ends, so that the share of commits that took so much
// longer than the median can be told.
var stageBuckets = []float64{
	50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 3e-3, 5e-3, 7.5e-3, 10e-3, 12.5e-3, 15e-3, 20e-3, 25e-3, 30e-3, 40e-3, 50e-3, 75e-3,
	100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30,
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{registerer: registerer}
	m.stages = m.histogram("stage_seconds", "Time of one stage of a batch: decide, claim, produce, offsets, end, commit, store.", stageBuckets, "group", "stage")
	m.handling = m.histogram("handle_seconds", "Time of one execution of a handler with the middleware around it.", stageBuckets, "group", "type")
	m.sending = m.histogram("send_seconds", "Time of one call, until its outcome, or of one send, until it is durable.", stageBuckets, "group", "stage", "type")
	m.sendFailures = m.counter("send_failures_total", "Calls and sends that ended with an error, refusals included, by code.", "group", "stage", "code")
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
	m.subscriptions = m.newSubscriptions()
	m.projections = m.newProjections()
	m.marked = m.counter("dead_letters_marked_total", "Dead letters replayed or dropped by this process.", "group", "mark")
	m.rebalances = m.counter("rebalances_total", "Changes of the assignment.", "group")
	m.takeover = m.histogram("takeover_seconds", "How long the oldest command of a partition had waited when it was first served here.", prometheus.ExponentialBuckets(1e-2, 2, 16), "group")
	m.output = m.histogram("batch_bytes", "Bytes of events and answers that one batch holds until it is committed.", prometheus.ExponentialBuckets(256, 4, 10), "group")
	m.snapshotted = m.counter("snapshot_states_total", "States written to the snapshots topic.", "group")
	m.passes = m.histogram("snapshot_seconds", "Time of one pass over a partition for snapshots, by result: complete, failed.", prometheus.ExponentialBuckets(1e-3, 2, 20), "group", "result")
	m.ignored = m.counter("snapshots_ignored_total", "Recoveries that could not use the snapshots of a partition as they are, by reason.", "group", "reason")
	m.trimmed = m.counter("trimmed_events_total", "Events removed from the journal behind a snapshot.", "group")
	m.erasures = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "muster", Name: "erasures", Help: "Erasures on the ledger of the key space, by state."}, []string{"state"})
	m.overdue = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "muster", Name: "erasures_overdue", Help: "Acknowledgements of erasures that are missing past their deadline."})
	m.all = append(m.all, m.erasures, m.overdue)
	return m
}

// erasing shows how far erasures are.
func (m *metrics) erasing(counts map[crypto.ErasureState]int, missing int) {
	for state := crypto.ErasureRequested; state <= crypto.ErasureUnrecoverable; state++ {
		m.erasures.WithLabelValues(state.String()).Set(float64(counts[state]))
	}
	m.overdue.Set(float64(missing))
}

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "muster", Name: name, Help: help}, labels)
	m.all = append(m.all, c)
	if len(labels) == 1 && labels[0] == "group" {
		m.plain = append(m.plain, c)
	}
	return c
}

// begin shows the counters of a group before anything has happened, where all their labels are known: an alert can tell zero from missing.
func (m *metrics) begin(group string) {
	for _, c := range m.plain {
		c.WithLabelValues(group)
	}
	for c, values := range map[*prometheus.CounterVec][]string{
		m.aborts:      {"aborted", "fenced", "unknown"},
		m.suspensions: {"unknown-outcome", "foreign-writer", "store", "state"},
		m.stops:       {"fold", "decode", "data-loss", "trimmed-without-base"},
		m.rebuilds:    {"ahead", "diverged", "trimmed"},
		m.hanging:     {"committed", "aborted", "unknown"},
	} {
		for _, value := range values {
			c.WithLabelValues(group, value)
		}
	}
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

// sum adds a counter that is read when the metrics are.
func (m *metrics) sum(name, help string, read func() float64) {
	m.all = append(m.all, prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "muster", Name: name, Help: help}, read))
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
