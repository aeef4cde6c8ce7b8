package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	quickstart "github.com/seed-3eec0498/muster/examples/quickstart"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleRun() {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err := errors.Join(err, quickstart.Run(context.Background(), dir), os.RemoveAll(dir)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 250: balance 250, error <nil>
	// -100: balance 150, error <nil>
	// -500: balance 0, error FAILED_PRECONDITION: account acc-1 holds only 150
}

// The page shows this program, and what it says, as they are.
func TestGettingStartedShowsThisProgram(t *testing.T) {
	page, err := os.ReadFile("../../docs/getting-started.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(strings.ReplaceAll(string(program), "\n\n", "\n"), "\n"); lines > 60 {
		t.Errorf("main.go has %d lines that are not blank; it is to be read at a glance, so at most 60", lines)
	}
	if !strings.Contains(string(page), "```go\n"+string(program)+"```\n") {
		t.Error("docs/getting-started.md does not show main.go as it is; copy it there")
	}
	const last = "-500: balance 0, error FAILED_PRECONDITION: account acc-1 holds only 150\n```\n"
	if !strings.Contains(string(page), last) {
		t.Error("docs/getting-started.md does not show what the program says")
	}
}
