package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
)

// around puts the measuring middleware outermost. Without a registerer nobody would read what it measures, so there is none.
func (m *metrics) around(mw []muster.Middleware) []muster.Middleware {
	if m.registerer == nil {
		return mw
	}
	return slices.Concat([]muster.Middleware{m.measure}, mw)
}

// series is what one message type of one group is measured by.
type series struct {
	stage muster.Stage
	group string
	name  string
}

// measure is middleware that takes the time of handlers and sends. The label type holds names that a contract knows, or "other", so the
// number of series is bounded.
func (m *metrics) measure(next muster.Invoke) muster.Invoke {
	var known sync.Map // series to prometheus.Observer: what WithLabelValues would give, without its cost
	return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
		began := time.Now()
		out, err := next(ctx, call)
		took := time.Since(began).Seconds()
		key := series{stage: call.Stage, group: call.Group.Name(), name: call.Type()}
		observer, had := known.Load(key)
		if !had {
			observer, _ = known.LoadOrStore(key, m.observer(key))
		}
		observer.(prometheus.Observer).Observe(took)
		if err != nil && call.Stage != muster.StageHandle {
			m.sendFailures.WithLabelValues(key.group, string(key.stage), muster.CodeOf(err).String()).Inc()
		}
		return out, err
	}
}

func (m *metrics) observer(s series) prometheus.Observer {
	if s.stage == muster.StageHandle {
		return m.handling.WithLabelValues(s.group, s.name)
	}
	return m.sending.WithLabelValues(s.group, string(s.stage), s.name)
}
