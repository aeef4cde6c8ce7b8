// Package mustertest is the test kit for users of muster and for those who write a port of it.
//
// A port is a small interface of the root package, such as [muster.States]. Each has a conformance suite here, which every implementation
// calls from a test of its own, the fakes too:
//
//	func TestConformance(t *testing.T) {
//		mustertest.States(t, func(t *testing.T) muster.States { return mustertest.NewMemoryStates() })
//	}
//
// The fakes keep to the same contract in memory, and serve wherever a test needs the port and not its storage.
package mustertest
