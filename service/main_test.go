//go:build unix

package service_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childVariable names the environment variable that makes this binary an owner process to be killed, stopped and started again, instead of
// a test run. It holds a [childConfig].
const childVariable = "MUSTER_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(child(text))
	}
	if text := os.Getenv(relayVariable); text != "" {
		os.Exit(relay(text))
	}
	if text := os.Getenv(viewerVariable); text != "" {
		os.Exit(viewer(text))
	}
	if text := os.Getenv(storyVariable); text != "" {
		os.Exit(storyWorker(text))
	}
	if text := os.Getenv(scribeVariable); text != "" {
		os.Exit(scribe(text))
	}
	if text := os.Getenv(clerkVariable); text != "" {
		os.Exit(clerk(text))
	}
	goleak.VerifyTestMain(m)
}
