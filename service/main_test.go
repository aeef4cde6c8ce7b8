//go:build unix

package service_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	for variable, be := range children {
		if text := os.Getenv(variable); text != "" {
			os.Exit(be(text))
		}
	}
	goleak.VerifyTestMain(m)
}
