package main

import (
	"context"
	"strings"

	"github.com/seed-3eec0498/muster/embedded"
)

// startBroker starts a broker inside the process unless the settings name one. stop ends it; name is for people.
func (s *settings) startBroker(ctx context.Context) (name string, stop func(), err error) {
	if len(s.brokers) > 0 {
		return "Kafka at " + strings.Join(s.brokers, ",") + ", topics " + s.prefix + "*", func() {}, nil
	}
	// It outlives an interrupt, so that the services can say goodbye to it.
	broker, err := embedded.Start(context.WithoutCancel(ctx), embedded.Config{Logger: s.logger})
	if err != nil {
		return "", nil, err
	}
	s.brokers = broker.Brokers()
	if s.prefix == "" {
		s.prefix = defaultPrefix
	}
	return "embedded, at " + strings.Join(s.brokers, ","), broker.Close, nil
}
