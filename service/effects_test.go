package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

type letterSent struct {
	Text string `json:"text"`
}

// outside is a projection with a journal in memory, whose results go outside, over real Kafka or the embedded broker.
type outside struct {
	t       *testing.T
	brokers []string
	name    string
	group   *muster.Group
	event   *muster.EventType[letterSent]
	journal *mustertest.MemoryJournal
	control *projector.MemoryControl
}

func newOutside(t *testing.T, name string) *outside {
	t.Helper()
	g := muster.NewGroup("letters", muster.Partitions(2))
	return &outside{
		t: t, brokers: anyBrokers(t), name: name, group: g, event: muster.NewEvent[letterSent](g, "Sent"), journal: mustertest.NewMemoryJournal(),
		control: projector.NewMemoryControl(),
	}
}

// write appends a command with one event: "aggregate:text".
func (o *outside) write(all ...string) (last muster.Position) {
	for _, one := range all {
		id, text, _ := strings.Cut(one, ":")
		source := projector.Source{Topic: o.group.JournalTopic(""), Partition: kafka.Partition(id, 2)}
		last = o.journal.Append(source, mustertest.NewEvent(o.event, id, letterSent{text}))
	}
	return last
}

// run runs an instance until the function it gives is called.
func (o *outside) run(d *projector.Definition, change ...func(*projector.Config)) (*projector.Runner, func()) {
	o.t.Helper()
	target, err := service.OpenOutward(o.t.Context(), service.OutwardConfig{
		Kafka: connection(o.brokers), Service: o.name, Create: true, Logger: slog.New(slog.DiscardHandler),
	}, d)
	if err != nil {
		o.t.Fatal(err)
	}
	c := projector.Config{Definition: d, Target: target, Journal: o.journal, Control: o.control}
	for _, fn := range change {
		fn(&c)
	}
	runner, err := projector.Open(c)
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Error(err)
		}
		_ = target.Close()
	})
	o.t.Cleanup(stop)
	eventually(o.t, "both shards are held", func() bool { return len(runner.Status()) == 2 && runner.Ready() == nil })
	return runner, stop
}

// postbox is a web service that knows a repeat by its key, and refuses what it is told to.
type postbox struct {
	mu      sync.Mutex // guards what follows; requests add
	refused map[string]bool
	down    bool
	keys    map[string]string
	posted  []string // without repeats
	calls   int
	url     string
}

func newPostbox(t *testing.T) *postbox {
	t.Helper()
	p := &postbox{refused: map[string]bool{}, keys: map[string]string{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *postbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	text, key := string(body), r.Header.Get("Idempotency-Key")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	switch {
	case p.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case key == "" || p.keys[key] != "" && p.keys[key] != text:
		w.WriteHeader(http.StatusConflict)
	case p.refused[text]:
		w.WriteHeader(http.StatusUnprocessableEntity)
	case p.keys[key] == "":
		p.keys[key] = text
		p.posted = append(p.posted, text)
	}
}

func (p *postbox) set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

func (p *postbox) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.posted)
}

func (p *postbox) called() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

var errRefused = errors.New("the postbox refuses it")

// mails posts each letter to a web service.
func (o *outside) mails(p *postbox, opts ...projector.Option) *projector.Effects {
	fx := projector.NewEffects("mails", append([]projector.Option{projector.OnFailure(projector.Policy{Tries: 2, First: time.Millisecond, Top: time.Millisecond})}, opts...)...)
	projector.On(fx, o.event, func(ctx context.Context, fx projector.Effect, e letterSent, _ muster.Meta) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(e.Text))
		if err != nil {
			return err
		}
		req.Header.Set("Idempotency-Key", fx.Key())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return projector.ToWait(err)
		}
		_ = resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable:
			return projector.ToWait(errRefused)
		}
		return errRefused
	})
	return fx
}

func TestEffectsAreParkedAndRetriedOnAnotherInstance(t *testing.T) {
	o, p := newOutside(t, "effects-parked"), newPostbox(t)
	p.set(func() { p.refused["a2"] = true })
	last := o.write("a:a1", "a:a2", "a:a3", "b:b1", "a:a4", "b:b2")
	runner, stop := o.run(o.mails(p).Definition())
	ctx, cancel := contextFor(t)
	defer cancel()
	if err := runner.Await(ctx, last); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three letters of a put aside", func() bool { return letters(runner) == 3 })
	if got := p.got(); !slices.Contains(got, "a1") || !slices.Contains(got, "b2") || len(got) != 3 {
		t.Errorf("posted %v", got)
	}
	stop()
	calls := p.called()

	again, _ := o.run(o.mails(p).Definition()) // another process, by all that matters
	eventually(t, "the letters are known", func() bool { return letters(again) == 3 })
	o.write("a:a5")
	eventually(t, "the new one waits, too", func() bool { return letters(again) == 4 })
	if n := p.called(); n != calls {
		t.Errorf("%d calls were repeated", n-calls)
	}
	p.set(func() { p.refused["a2"] = false })
	act := `{"format":1,"projection":"mails@1","kind":"retry","when":"2026-01-01T00:00:00Z"}`
	if _, err := o.control.Put(t.Context(), "act/1", []byte(act)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is put aside", func() bool { return letters(again) == 0 })
	var ofA []string
	for _, text := range p.got() {
		if text[0] == 'a' {
			ofA = append(ofA, text)
		}
	}
	if !slices.Equal(ofA, []string{"a1", "a2", "a3", "a4", "a5"}) {
		t.Errorf("posted %v", ofA)
	}
}

func letters(r *projector.Runner) (n int) {
	for _, s := range r.Status() {
		for _, count := range s.Letters {
			n += count
		}
	}
	return n
}

func TestEffectsWaitForWhatIsDown(t *testing.T) {
	o, p := newOutside(t, "effects-down"), newPostbox(t)
	p.set(func() { p.down = true })
	last := o.write("a:a1", "a:a2")
	runner, _ := o.run(o.mails(p).Definition())
	eventually(t, "five calls", func() bool { return p.called() >= 5 })
	p.set(func() { p.down = false })
	ctx, cancel := contextFor(t)
	defer cancel()
	if err := runner.Await(ctx, last); err != nil {
		t.Fatal(err)
	}
	if got := p.got(); !slices.Equal(got, []string{"a1", "a2"}) || letters(runner) != 0 {
		t.Errorf("posted %v, put aside %d", got, letters(runner))
	}
}

// A rebuild does not act again for what was there before it.
func TestEffectsAreMutedDuringARebuild(t *testing.T) {
	o, p := newOutside(t, "effects-rebuild"), newPostbox(t)
	ctx, cancel := contextFor(t)
	defer cancel()
	runner, stop := o.run(o.mails(p).Definition())
	if err := runner.Await(ctx, o.write("a:a1", "a:a2")); err != nil {
		t.Fatal(err)
	}
	stop()
	calls := p.called()
	rebuilt, _ := o.run(o.mails(p).Definition(), func(c *projector.Config) {
		c.Generation, c.Mark = 1, map[projector.Source]int64{}
		for i := range int32(2) {
			source := projector.Source{Topic: o.group.JournalTopic(""), Partition: i}
			c.Mark[source] = o.journal.End(source)
		}
	})
	if err := rebuilt.Await(ctx, o.write("a:a3")); err != nil {
		t.Fatal(err)
	}
	if got := p.got(); !slices.Equal(got, []string{"a1", "a2", "a3"}) || p.called() != calls+1 {
		t.Errorf("posted %v; %d calls during the rebuild, want 1", got, p.called()-calls)
	}
}

// A publisher whose function fails in the middle of a batch publishes what comes before it once, and parks the key.
func TestPublisherRekeys(t *testing.T) {
	o := newOutside(t, "publisher")
	topic := "letters-public"
	fail := true
	pub := projector.NewPublisher("public", projector.To(topic, 3), projector.OnFailure(projector.Policy{Tries: 1}))
	projector.On(pub, o.event, func(ctx context.Context, out *projector.Outbox, e letterSent, m muster.Meta) error {
		if err := out.Publish(ctx, topic, muster.CloudEvent{Type: "letter.v1", Key: "by-" + e.Text[:1]}, e); err != nil {
			return err
		}
		if e.Text == "x2" && fail {
			return errRefused // behind the publication, which must be taken back
		}
		return out.Publish(ctx, topic, muster.CloudEvent{Type: "copy.v1", Subject: "copy of " + m.AggregateID, Key: "by-" + e.Text[:1]}, muster.Raw(e.Text))
	})
	var last muster.Position
	for i := range 20 {
		last = o.write(fmt.Sprintf("a:x%d", i))
	}
	runner, _ := o.run(pub.Definition())
	eventually(t, "all but two wait", func() bool { return letters(runner) == 18 })
	want := []string{"x0", "x0 copy", "x1", "x1 copy"}
	check := func() {
		t.Helper()
		var got []string
		ids := map[string]bool{}
		for _, r := range committedRecords(t, o.brokers, topic) {
			e, err := kafka.DecodeCloudEvent(r)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Trim(strings.TrimPrefix(string(e.Payload), `{"text":`), `"}`)
			if e.Type == "copy.v1" {
				text += " copy"
			}
			got = append(got, text)
			if e.Key != "by-x" || e.Source != "letters" || e.CausationID == "" || ids[e.ID] {
				t.Errorf("published %+v", e)
			}
			ids[e.ID] = true
		}
		if !slices.Equal(got, want) {
			t.Errorf("published %v, want %v", got, want)
		}
	}
	check()
	fail = false
	if _, err := o.control.Put(t.Context(), "act/1", []byte(`{"format":1,"projection":"public@1","kind":"retry","when":"2026-01-01T00:00:00Z"}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is put aside", func() bool { return letters(runner) == 0 })
	ctx, cancel := contextFor(t)
	defer cancel()
	if err := runner.Await(ctx, last); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 20; i++ {
		want = append(want, fmt.Sprintf("x%d", i), fmt.Sprintf("x%d copy", i))
	}
	check()
}
