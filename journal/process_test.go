package journal_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// child is the other process of these tests: it stores as many batches as it is told, says so, and then waits to be killed.
func child(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("child:", err)
			os.Exit(3)
		}
	}
	s, err := journal.Open(journal.Config{Dir: dir})
	fail(err)
	g, err := s.Group(accounts, "", nil)
	fail(err)
	_, err = g.Open(0)
	fail(err)
	batches, err := strconv.Atoi(os.Getenv("MUSTER_TEST_BATCHES"))
	fail(err)
	for n := range batches {
		fail(g.Store(nil, []muster.Changes{batch(0, n+1)})) //nolint:staticcheck // no test, no context
	}
	fmt.Println("stored")
	select {}
}

// startChild starts the other process and gives a function that kills it, once it has said that it is ready.
func startChild(t *testing.T, dir string, batches int) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MUSTER_TEST_CHILD="+dir, "MUSTER_TEST_BATCHES="+strconv.Itoa(batches))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "stored\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return kill
}

func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	kill := startChild(t, dir, 1)
	_, err := journal.Open(journal.Config{Dir: dir})
	if !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "directory of its own") {
		t.Fatalf("a second process was let in, or not told why it was not: %v", err)
	}
	kill()
	wantBatches(t, openGroup(t, open(t, journal.Config{Dir: dir})), 0, 1, 1)
}

func TestSecondStoreOfOneProcess(t *testing.T) {
	for name, cfg := range map[string]journal.Config{"disk": {Dir: t.TempDir()}, "memory": {Dir: "state", FS: newMem()}} {
		s := open(t, cfg)
		if _, err := journal.Open(cfg); !errors.Is(err, journal.ErrLocked) {
			t.Fatalf("%s: %v", name, err)
		}
		closeStore(t, s)
		closeStore(t, open(t, cfg))
	}
}

// What Store has taken survives the end of the process: all of it, not only what happened to be written out.
func TestKilledProcess(t *testing.T) {
	for _, batches := range []int{1, 7, 500} {
		dir := t.TempDir()
		startChild(t, dir, batches)()
		g := openGroup(t, open(t, journal.Config{Dir: dir}))
		wantBatches(t, g, 0, batches, batches)
	}
}

func TestDirectoryCannotBeUsed(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := journal.Open(journal.Config{Dir: file})
	if !errors.Is(err, journal.ErrStore) || !strings.Contains(err.Error(), file) {
		t.Fatalf("a file as directory: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("it was moved away: %v", err)
	}
}
