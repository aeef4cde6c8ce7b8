package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// canary is in every personal field of this test, and must be nowhere else.
const canary = "Canary-Qz7"

// canaryTrace notes what a tracer is told.
type canaryTrace struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

type canarySpan struct{ *canaryTrace }

// Start implements [muster.Tracer].
func (c *canaryTrace) Start(ctx context.Context, s muster.SpanStart) (context.Context, muster.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(&c.text, "%+v\n", s)
	return ctx, canarySpan{c}
}

// Context implements [muster.Span].
func (c canarySpan) Context() muster.TraceContext { return muster.TraceContext{} }

// End implements [muster.Span].
func (c canarySpan) End(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(&c.text, err)
}

// TestNoCanaryAnywhere sends personal data through everything that keeps or tells something, and looks for it there: all records of all topics, every
// file below the data directory, every file of the brokers where they are this test's own, logs, metrics, traces, the operators' pages and the texts of
// errors. A row of a view is what a page of the view is for.
func TestNoCanaryAnywhere(t *testing.T) {
	brokers, segments := canaryBrokers(t)
	c, logs, trace, metrics := newClub(t), newLines(), &canaryTrace{}, prometheus.NewRegistry()
	public := kafkatest.UniqueName(t, "public")
	out := projector.NewPublisher(kafkatest.UniqueName(t, "out"), projector.To(public, 1), projector.OnFailure(projector.Policy{Tries: 1}))
	projector.On(out, c.joined, func(ctx context.Context, o *projector.Outbox, e joinedFact, _ muster.Meta) error {
		return o.Publish(ctx, public, muster.CloudEvent{Type: "public.Joined"}, e) // refused: it is personal data
	})
	cfg := service.Config{
		Name: kafkatest.UniqueName(t, "club"), Brokers: brokers, DataDir: t.TempDir(), Privacy: memoryPrivacy(), Logger: slog.New(logs), Tracer: trace,
		Metrics: metrics,
	}
	s := start(t, cfg, c.owner(), c.roll, out, c.group.HandleFunc("club.Relay", func(ctx context.Context, cmd *muster.Command, w muster.Writer) error {
		in, err := c.join.Decode(w.Codec(), cmd)
		if err != nil {
			return err
		}
		if err := w.Progress(in); err != nil {
			return err
		}
		if err := c.join.Write(w, "m-2", in); err != nil {
			return err
		}
		return w.Reply(in)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := c.join.Call(ctx, s.Client(), "m-1", joinIn{Name: canary, Plan: canaryPlan}, muster.WaitFor(c.roll))
	if err != nil || got.Name != canary {
		t.Fatalf("join: %+v, %v", got, err)
	}
	var errs []string
	fails := func(_ any, err error) {
		t.Helper()
		if err == nil {
			t.Error("a call that must fail did not")
			return
		}
		errs = append(errs, err.Error())
	}
	fails(c.refuse.Call(ctx, s.Client(), "m-1", joinIn{Name: canary}))
	fails(c.join.Call(ctx, s.Client(), "m-1", joinIn{Name: canary}, muster.MustNotExist()))
	relay := muster.NewCommand[joinIn, joinIn](muster.NewGroup(c.group.Name(), muster.Partitions(2)), "club.Relay")
	if _, err := relay.Call(ctx, s.Client(), "m-1", joinIn{Name: canary, Plan: canaryPlan}, muster.OnProgress(func(*muster.Step) {})); err != nil {
		t.Fatal(err)
	}
	gone := muster.NewCommand[joinIn, joinIn](muster.NewGroup(c.group.Name(), muster.Partitions(2)), "club.Gone")
	fails(gone.Call(ctx, s.Client(), "m-1", joinIn{Name: canary, Plan: canaryPlan}))                   // a dead letter
	if _, err := c.join.Send(ctx, s.Client(), "m-3", joinIn{Name: canary, Plan: "park"}); err != nil { // its event is parked by the view
		t.Fatal(err)
	}
	if _, err := c.join.Send(ctx, s.Client(), "m-4", joinIn{Name: canary, Plan: "panic"}); err != nil { // the view panics with it
		t.Fatal(err)
	}
	if got, err := c.look.Call(ctx, s.Client(), "m-1", joinIn{Name: canary}); err != nil || got.Name != canary {
		t.Errorf("look: %+v, %v", got, err)
	}
	if row, err := c.roll.Get(ctx, s.Views(), "m-1"); err != nil || row.Name != canary {
		t.Errorf("the row: %+v, %v", row, err)
	}
	eventually(t, "the publisher's events and two of the view's are put aside", func() bool {
		parked := map[string]int{}
		for _, p := range s.Projections() {
			parked[p.Projection] += p.Parked
		}
		return parked[c.roll.Definition().String()] == 2 && parked[out.Definition().String()] >= 3
	})
	pages := ""
	for _, path := range []string{"/projections", "/projections/" + c.roll.Definition().Name() + "/letters", "/projections/" + c.roll.Definition().Name(), "/healthz", "/readyz"} {
		_, body := asked(s.Handler(), path)
		pages += body + "\n"
	}
	if !strings.Contains(pages, `"panic"`) {
		t.Errorf("the pages do not show the letter of a panic: %s", pages)
	}
	seen := pages + scraped(t, metrics)
	s.end() // writes snapshots
	seen += trace.text.String() + strings.Join(errs, "\n")
	for _, l := range *logs.all {
		seen += l.text + "\n"
	}
	if at := strings.Index(seen, canary); at >= 0 {
		t.Errorf("told in clear: ... %s", seen[max(0, at-200):at])
	}
	searchFiles(t, cfg.DataDir)
	if segments != "" {
		searchSegments(t, segments, c.group.CommandTopic(""), c.group.JournalTopic(""), c.group.SnapshotTopic(""), c.group.DeadLetterTopic(""),
			muster.ReplyTopic("", cfg.Name))
	}
	records, sealed := searchTopics(ctx, t, brokers, c.group.Name(), cfg.Name, public)
	if records < 15 || sealed < 8 {
		t.Errorf("only %d records were found, %d of them sealed; does this test still see them?", records, sealed)
	}
}

func scraped(t *testing.T, from prometheus.Gatherer) string {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		text.WriteString(f.String())
	}
	return text.String()
}

func searchFiles(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s holds personal data in clear", path)
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

// searchTopics reads everything in the topics whose names hold one of the names, up to where they end now.
func searchTopics(ctx context.Context, t *testing.T, brokers []string, names ...string) (records, sealed int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	topics := slices.DeleteFunc(listed.Names(), func(topic string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(topic, name) })
	})
	err = history.Records(ctx, kafka.Config{Brokers: brokers}, topics, func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		records++
		all := append(bytes.Clone(r.Key), r.Value...)
		for _, h := range r.Headers {
			all = append(append(all, h.Key...), h.Value...)
		}
		if bytes.Contains(all, []byte(canary)) {
			t.Errorf("%s[%d] offset %d holds personal data in clear", r.Topic, r.Partition, r.Offset)
		}
		if bytes.Contains(all, []byte(muster.SealedMark)) {
			sealed++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, sealed
}
