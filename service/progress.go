package service

import "time"

// tellEvery is how often a recovery says how far it is.
const tellEvery = 5 * time.Second

// progress follows one stage of a partition's recovery. The goroutine that recovers uses it.
type progress struct {
	o         *owner
	partition int32
	stage     string
	total     int64
	began     time.Time
	told      time.Time
}

func (o *owner) progress(partition int32, stage string, total int64) *progress {
	now := time.Now()
	p := &progress{o: o, partition: partition, stage: stage, total: total, began: now, told: now}
	p.at(0)
	return p
}

// at notes how much is done: on the board every time, in the log every few seconds.
func (p *progress) at(done int64) {
	now := time.Now()
	is := RecoveryProgress{Stage: p.stage, Done: done, Total: p.total}
	if spent := now.Sub(p.began).Seconds(); spent > 0 && done > 0 {
		is.PerSecond = float64(done) / spent
		is.Left = max(0, float64(p.total-done)/is.PerSecond)
	}
	p.o.board.progress(p.o.group.Name(), p.partition, is)
	if now.Sub(p.told) >= tellEvery {
		p.told = now
		p.o.log.Info("recovering partition", "group", p.o.group.Name(), "partition", p.partition, "progress", is.String())
	}
}
