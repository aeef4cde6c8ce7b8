package main

import (
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requests counts what the clients of this process send, the engine's and the bare loops', by kind.
type requests struct {
	sent [kmsg.MaxKey + 1]atomic.Int64 // by API key; the clients' goroutines add
}

var _ kgo.HookBrokerWrite = (*requests)(nil)

// OnBrokerWrite implements [kgo.HookBrokerWrite].
func (r *requests) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, written int, _, _ time.Duration, err error) {
	if err == nil && written > 0 && key >= 0 && int(key) < len(r.sent) {
		r.sent[key].Add(1)
	}
}

// meter is what this process has used up to a moment: figures that the load of the machine hardly moves, unlike the clock.
type meter struct {
	cpu            float64 // seconds
	bytes, objects uint64  // allocated
	sent           [kmsg.MaxKey + 1]int64
}

func (c *cluster) meter() meter {
	m := meter{cpu: cpuSeconds()}
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"}}
	metrics.Read(samples)
	m.bytes, m.objects = samples[0].Value.Uint64(), samples[1].Value.Uint64()
	for key := range m.sent {
		m.sent[key] = c.requests.sent[key].Load()
	}
	return m
}

// rareRequest is how many requests of a kind there must be per command for it to be told.
const rareRequest = 0.01

// per writes into detail what was used since m per command, call or event.
func (m *meter) per(c *cluster, detail map[string]float64, prefix, unit string, n float64) {
	now := c.meter()
	detail[prefix+"cpu_us_per_"+unit] = 1e6 * (now.cpu - m.cpu) / n
	detail[prefix+"alloc_bytes_per_"+unit] = float64(now.bytes-m.bytes) / n
	detail[prefix+"allocs_per_"+unit] = float64(now.objects-m.objects) / n
	for key := range now.sent {
		if each := float64(now.sent[key]-m.sent[key]) / n; each >= rareRequest {
			detail[prefix+"requests_per_"+unit+"_"+kmsg.NameForKey(int16(key))] = each
		}
	}
}
