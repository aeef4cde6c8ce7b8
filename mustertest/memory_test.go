package mustertest_test

import (
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
)

func TestMemoryStates(t *testing.T) {
	mustertest.States(t, func(*testing.T) muster.States { return mustertest.NewMemoryStates() })
}
