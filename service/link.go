package service

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/kafka"
)

// linked tells whether brokers accept new connections of this process. Those it has may still work; they do not last.
func (s *Service) linked() error {
	if err := s.cfg.Kafka.Link.Err(); err != nil {
		return fmt.Errorf("service %s: brokers refuse new connections: %w", s.cfg.Name, err)
	}
	return nil
}

func (s *Service) linkMetrics() {
	for _, cause := range []string{kafka.CauseDial, kafka.CauseTLS, kafka.CauseAuth} {
		s.metrics.all = append(s.metrics.all, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "muster", Name: "connection_failures_total", Help: "Connections to brokers that did not come about, by cause: dial, tls, auth.",
			ConstLabels: prometheus.Labels{"cause": cause},
		}, func() float64 { return float64(s.cfg.Kafka.Link.Failures(cause)) }))
	}
}
