package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// sample is one look at everything. Sizes are in MiB.
type sample struct {
	Seconds    float64 `json:"seconds"` // since the load began
	Resident   float64 `json:"resident"`
	Heap       float64 `json:"heap"`
	Live       float64 `json:"live"`
	Goroutines float64 `json:"goroutines"`
	Files      float64 `json:"files"`
	Tables     float64 `json:"tables"`
	Logs       float64 `json:"logs"`
	Lag        float64 `json:"lag"`
	Behind     float64 `json:"behind"`
	Calls      float64 `json:"calls"`
	Journals   float64 `json:"journals"`
}

// series is one quantity over time.
type series struct {
	name  string
	title string
	unit  string
	floor float64 // what it may rise by in any case; below zero: it is shown and not judged
	of    func(*sample) float64
	most  float64 // above zero: what it may never be above, instead of a slope
}

// Logs are kept to be used again, and there are as many as were ever needed at once: seven, because a write buffer begins at 256 KiB and doubles up to its
// size, 16 MiB of the two stores of states and 4 of the view, before the first one is written out. The small ones give way to large ones one after the other.
const mostLogs = 8 * (16 + 16 + 4) // MiB

var all = []series{
	{"resident", "Memory of the process, with clients", "MiB", 8, func(s *sample) float64 { return s.Resident }, 0},
	{"heap", "Go heap in use", "MiB", 4, func(s *sample) float64 { return s.Heap }, 0},
	{"live", "Go heap that the last collection left", "MiB", 4, func(s *sample) float64 { return s.Live }, 0},
	{"goroutines", "Goroutines", "goroutines", 5, func(s *sample) float64 { return s.Goroutines }, 0},
	{"files", "Open file handles", "handles", 5, func(s *sample) float64 { return s.Files }, 0},
	{"tables", "Pebble's tables on disk, states and view", "MiB", 4, func(s *sample) float64 { return s.Tables }, 0},
	{name: "logs", title: "Pebble's logs on disk, states and view", unit: "MiB", most: mostLogs, of: func(s *sample) float64 { return s.Logs }},
	{"lag", "Commands not taken in yet", "commands", 50, func(s *sample) float64 { return s.Lag }, 0},
	{"behind", "Events the view has not applied yet", "events", 50, func(s *sample) float64 { return s.Behind }, 0},
	{"calls", "Calls answered", "calls/s", -1, func(s *sample) float64 { return s.Calls }, 0},
	{"journals", "Journals on the broker", "MiB", -1, func(s *sample) float64 { return s.Journals }, 0},
}

const mebi = 1 << 20

// look takes a sample. A quantity that the system does not tell is zero.
func (w *world) look(ctx context.Context, since time.Duration) (sample, error) {
	s := sample{Seconds: since.Seconds(), Goroutines: float64(runtime.NumGoroutine()), Resident: resident()}
	read := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(read)
	s.Heap = float64(read[0].Value.Uint64()+read[1].Value.Uint64()) / mebi
	s.Live = float64(read[2].Value.Uint64()) / mebi
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.Files = float64(len(open))
	}
	s.Journals = w.journals(ctx)
	for _, r := range []*running{w.keeper, w.reader} {
		tables, logs, err := sizeOf(r.dir)
		if err != nil {
			return s, err
		}
		lag, err := r.gauge("muster_lag_commands")
		if err != nil {
			return s, err
		}
		behind, err := r.gauge("muster_projection_lag_events")
		if err != nil {
			return s, err
		}
		s.Tables, s.Logs, s.Lag, s.Behind = s.Tables+tables, s.Logs+logs, s.Lag+lag, s.Behind+behind
	}
	return s, nil
}

// resident is the memory of this process that is in RAM.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / mebi
}

// sizeOf adds up the files under a directory, some of which may go meanwhile: the logs, and all others.
func sizeOf(dir string) (tables, logs float64, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return nil
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case filepath.Ext(path) == ".log":
			logs += float64(info.Size()) / mebi
		default:
			tables += float64(info.Size()) / mebi
		}
		return nil
	})
	return tables, logs, err
}

// journals is what the journals take at the broker, zero where that does not say.
func (w *world) journals(ctx context.Context) float64 {
	topics := kadm.TopicsSet{}
	for p := range int32(partitions) {
		topics.Add(w.all.group.JournalTopic(""), p)
		topics.Add(w.latest.group.JournalTopic(""), p)
	}
	dirs, err := w.admin.DescribeAllLogDirs(ctx, topics)
	if err != nil {
		return 0
	}
	sum := int64(0)
	dirs.Each(func(d kadm.DescribedLogDir) { sum += d.Size() })
	return float64(sum) / mebi
}
