package service

import "github.com/prometheus/client_golang/prometheus"

// subscriptionMetrics are those of what reads groups' events.
type subscriptionMetrics struct {
	events *prometheus.CounterVec
	faults *prometheus.CounterVec
	lag    *prometheus.GaugeVec
}

func (m *metrics) newSubscriptions() subscriptionMetrics {
	s := subscriptionMetrics{
		events: m.counter("subscription_events_total", "Events that a function of the subscription has handled.", "group", "subscription"),
		faults: m.counter("subscription_faults_total", "Events that could not be handled, by reason; each attempt counts.", "group", "subscription", "reason"),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "muster", Name: "subscription_lag_events",
			Help: "Offsets before the end of the journal that are not handled yet, in the partitions this instance reads.",
		}, []string{"group", "subscription"}),
	}
	m.all = append(m.all, s.lag)
	return s
}
