package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/seed-3eec0498/muster/internal/disk"
)

func openScratch(t *testing.T, parent string, memory int64) *disk.Scratch {
	t.Helper()
	s, err := disk.OpenScratch(parent, memory, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scratchPut(t *testing.T, s *disk.Scratch, key, value string) {
	t.Helper()
	if err := s.Put(t.Context(), []byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestScratch(t *testing.T) {
	parent := t.TempDir()
	s := openScratch(t, parent, disk.MinScratch)
	scratchPut(t, s, "a", "one")
	scratchPut(t, s, "b", "two")
	scratchPut(t, s, "a", "three")
	for key, want := range map[string]string{"a": "three", "b": "two", "c": ""} {
		got, err := s.Get([]byte(key))
		if err != nil || string(got) != want || want == "" && got != nil {
			t.Errorf("%s is %q, %v; want %q", key, got, err, want)
		}
	}
	var all []string
	err := s.Scan(func(value []byte) error {
		if len(all) == 0 {
			scratchPut(t, s, "bb", "later") // not seen by what has begun
		}
		all = append(all, string(value))
		return nil
	})
	if err != nil || fmt.Sprint(all) != "[three two]" {
		t.Errorf("the scan gives %v, %v", all, err)
	}
	stop := errors.New("stop")
	if err := s.Scan(func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a scan that is stopped: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("after Close there is %v, %v", left, err)
	}
	if _, err := s.Get([]byte("a")); err == nil {
		t.Error("it answers after Close")
	}
}

// Nothing of the values can be read in the files, not even of those that were overwritten.
func TestScratchIsSealed(t *testing.T) {
	parent, canary := t.TempDir(), bytes.Repeat([]byte("canary"), 100)
	s := openScratch(t, parent, disk.MinScratch)
	for n := range 4000 { // some of them are in tables, the last ones in the log
		scratchPut(t, s, fmt.Sprint("key", n%100), string(canary))
	}
	var seen int64
	if err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // Pebble removes files meanwhile
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		seen += int64(len(content))
		if bytes.Contains(content, canary[:24]) {
			t.Errorf("%s holds a value in clear", filepath.Base(path))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if seen < 100*600 {
		t.Errorf("only %d bytes were looked at", seen)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// What a process has left is removed by the next one, and what another one is using is not.
func TestScratchOfAnEndedProcess(t *testing.T) {
	parent := t.TempDir()
	left := filepath.Join(parent, "scratch-left")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	first := openScratch(t, parent, disk.MinScratch)
	scratchPut(t, first, "a", "one")
	second := openScratch(t, parent, disk.MinScratch)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left: %v", err)
	}
	if got, err := first.Get([]byte("a")); err != nil || string(got) != "one" {
		t.Errorf("the other one has %q, %v", got, err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Error(err)
	}
	if _, err := disk.OpenScratch(parent, disk.MinScratch-1, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("too little memory is taken")
	}
}

// A hundred thousand rows of the size of a subject's keys take 26 MB in memory; here they take what was given.
func TestScratchIsBounded(t *testing.T) {
	rows := 100_000
	if raceDetector { // which makes it ten times slower, and memory tells nothing under it
		rows = 5_000
	}
	s := openScratch(t, t.TempDir(), disk.MinScratch)
	key, value := make([]byte, 16), make([]byte, 180)
	name := func(n int) []byte {
		copy(key, fmt.Sprintf("%016x", uint64(n)*0x9e3779b97f4a7c15))
		return key
	}
	before := scratchHeap()
	for n := range rows {
		if err := s.Put(t.Context(), name(n), value); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < rows; n += 100 {
		if got, err := s.Get(name(n)); err != nil || len(got) != len(value) {
			t.Fatalf("row %d is %v, %v", n, got, err)
		}
	}
	if grown := scratchHeap() - before; grown > disk.MinScratch/2 {
		t.Errorf("%d rows take %d bytes of heap", rows, grown)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func scratchHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
