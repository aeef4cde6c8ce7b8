package mustertest_test

import (
	"testing"

	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

func TestMemoryControl(t *testing.T) {
	mustertest.Control(t, func(*testing.T) (one, other projector.Control) {
		c := projector.NewMemoryControl()
		return c, c
	})
}
