package sim

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/kafka"
)

// logs keeps what all processes log.
type logs struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) place() history.Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return content("the logs", bytes.Clone(l.text.Bytes()))
}

// logger is where processes log.
func (w *world) logger() *slog.Logger {
	if w.settings.Logger == nil && Sealed(w.settings.Seed) {
		return slog.New(slog.NewTextHandler(&w.logs, nil))
	}
	return w.settings.Logger
}

func content(name string, data []byte) history.Place {
	return history.Place{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// places gives everything in which nobody's data may lie in clear: the topics with what transactions that were aborted have left, the disks, and the
// logs.
func (w *world) places(ctx context.Context) (all []history.Place, err error) {
	if all, err = w.topics(ctx); err != nil {
		return nil, err
	}
	for _, e := range w.evidence {
		if all, err = files(all, e.name+": ", e.files, "/"); err != nil {
			return nil, err
		}
	}
	for _, p := range w.processes {
		if all, err = files(all, p.name+": ", p.disk.memory, "/"); err != nil {
			return nil, err
		}
	}
	beside, err := history.Files(w.settings.Dir)
	return append(append(all, beside...), w.logs.place()), err
}

// topics gives all records of all topics, a place for each topic.
func (w *world) topics(ctx context.Context) (all []history.Place, err error) {
	texts := map[string]*bytes.Buffer{}
	err = history.Records(ctx, kafka.Config{Brokers: w.brokers}, nil, func(r *kgo.Record) {
		text := texts[r.Topic]
		if text == nil {
			text = &bytes.Buffer{}
			texts[r.Topic] = text
		}
		text.Write(r.Key)
		text.Write(r.Value)
		for _, h := range r.Headers {
			text.WriteString(h.Key)
			text.Write(h.Value)
		}
	})
	for topic, text := range texts {
		all = append(all, content("topic "+topic, text.Bytes()))
	}
	return all, err
}

// files gives everything beneath a directory.
func files(all []history.Place, of string, from vfs.FS, dir string) ([]history.Place, error) {
	names, err := from.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		path := from.PathJoin(dir, name)
		info, err := from.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			if all, err = files(all, of, from, path); err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, history.Place{Name: of + path, Open: func() (io.ReadCloser, error) { return from.Open(path) }})
	}
	return all, nil
}
