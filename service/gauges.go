package service

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/journal"
)

// gauges are read from what is there anyway.
func (s *Service) gauges() {
	m := s.metrics
	m.gauge("calls_waiting", "Calls of this process that wait for their outcome.", nil, func() float64 { return float64(s.client.Waiting()) })
	m.sum("late_replies_total", "Replies that came after their caller had gone.", func() float64 { return float64(s.client.Late()) })
	m.sum("missed_steps_total", "Steps of progress that callers were too slow to take.", func() float64 { return float64(s.client.Missed()) })
	m.sum("undelivered_replies_total", "Replies that no broker took; a caller that retries gets its answer.", func() float64 { return float64(s.sender.Undelivered()) })
	for _, o := range s.owners {
		o.engineGauges()
		o.gauges()
	}
	if s.store == nil {
		return
	}
	stats := &lastStats{read: s.store.Stats}
	m.gauge("dedup_ids", "Command ids remembered in the partitions of this instance.", nil, func() float64 { return float64(stats.get().WindowIDs) })
	m.gauge("dedup_bytes", "Memory for the remembered command ids.", nil, func() float64 { return float64(stats.get().WindowBytes) })
	m.gauge("store_disk_bytes", "Local store on disk, tables and logs.", nil, func() float64 { return float64(stats.get().DiskBytes) })
	m.gauge("store_compaction_debt_bytes", "What compaction of the local store still has to rewrite.", nil, func() float64 { return float64(stats.get().CompactionDebt) })
}

func (o *owner) engineGauges() {
	m, group := o.metrics, prometheus.Labels{"group": o.group.Name()}
	for _, state := range []State{Recovering, Serving, Stopped} {
		labels := prometheus.Labels{"group": o.group.Name(), "state": string(state)}
		m.gauge("partitions", "Partitions of this instance by state.", labels, func() float64 { return float64(o.board.count(o.group.Name(), state)) })
	}
	for i, of := range []struct{ name, help string }{
		{"recovery_done_offsets", "Journal offsets read by the recoveries under way."},
		{"recovery_all_offsets", "Journal offsets that the recoveries under way have to read."},
		{"recovery_left_seconds", "Time until the longest recovery under way is done, at its rate so far."},
	} {
		m.gauge(of.name, of.help, group, func() float64 {
			done, total, left := o.board.recovering(o.group.Name())
			return [...]float64{done, total, left}[i]
		})
	}
	m.gauge("lag_commands", "Commands in the topic that were not handed to a lane yet, in the partitions of this instance.", group, func() float64 {
		sum := int64(0)
		for _, n := range o.consumer.Lag() {
			sum += n
		}
		return float64(sum)
	})
	m.gauge("handlers_running", "Goroutines in handlers, those of given up handlers that have not returned among them.", group, func() float64 { return float64(o.running.Load()) })
	m.gauge("resident_aggregates", "Aggregates held decoded in memory.", group, func() float64 { return float64(o.processor.Residents()) })
}

// lastStats asks the store at most once a second: it takes a lock of its own, and one scrape asks for several figures.
type lastStats struct {
	read func() journal.Stats

	mu   sync.Mutex // guards what follows
	last journal.Stats
	at   time.Time
}

func (l *lastStats) get() journal.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) > time.Second {
		l.last, l.at = l.read(), time.Now()
	}
	return l.last
}
