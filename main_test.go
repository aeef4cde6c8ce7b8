package muster_test

import (
	"testing"

	"go.uber.org/goleak"
)

// The root starts no goroutine; what a test starts, it joins.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
