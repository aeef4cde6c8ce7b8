package muster_test

import (
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// One batch of 64 deposits on as many accounts, from commands to replies: what the core costs bare, and with something around the handler.
func BenchmarkRound(b *testing.B) {
	for _, with := range []struct {
		name string
		set  func(*muster.ProcessorConfig)
	}{
		{"bare", func(*muster.ProcessorConfig) {}},
		{"middleware", func(c *muster.ProcessorConfig) {
			c.Middleware = []muster.Middleware{func(next muster.Invoke) muster.Invoke { return next }}
		}},
	} {
		b.Run(with.name, func(b *testing.B) {
			w := newWorld(b, newBank().Account.Behaviour())
			with.set(&w.config)
			w.restart()
			for i := range 64 {
				opened(w, fmt.Sprint("acc-", i))
			}
			commands := make([]muster.Command, 64)
			round := 0
			b.ReportAllocs()
			for b.Loop() {
				round++
				for i := range commands {
					commands[i] = command("deposit", fmt.Sprint("acc-", i), fmt.Sprint(round, "/", i), order{Amount: 1})
				}
				w.do(commands...)
			}
		})
	}
}
