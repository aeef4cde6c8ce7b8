package service_test

import (
	"context"
	"testing"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// launched runs an opened service without waiting for anything.
func launched(t *testing.T, s *service.Service) *running {
	t.Helper()
	run, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{Service: s, t: t, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Run(run) }()
	t.Cleanup(func() { r.end() })
	return r
}

// callerOf is a service that owns nothing.
func callerOf(st *stage) service.Config {
	return service.Config{Name: kafkatest.UniqueName(st.t, "caller"), Brokers: st.brokers, ReplyPartitions: 3, CallTimeout: patience}
}
