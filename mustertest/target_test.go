package mustertest_test

import (
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

func TestMemoryTarget(t *testing.T) {
	mustertest.Target(t, func(*testing.T) mustertest.TargetFixture {
		target := mustertest.NewMemoryTarget()
		once := func(step string) func() {
			return func() {
				target.Intercept(func(at string, _ projector.Shard) error {
					if at != step {
						return nil
					}
					target.Intercept(nil)
					return errors.New("arranged")
				})
			}
		}
		return mustertest.TargetFixture{
			Target: target, Rows: target.Rows, Break: once("commit"), Doubt: once("committed"),
			Put: func(tx any, _ projector.Shard, key, value string) error {
				tx.(*mustertest.MemoryTx).Set(key, value)
				return nil
			},
			Beside: func() projector.Target { return target.Beside() },
			Crash: func() projector.Target {
				target.Kill()
				return target.Beside()
			},
		}
	})
}
