package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// lines is a log handler that keeps everything, rendered as text and attribute by attribute.
type lines struct {
	mu   *sync.Mutex // guards all
	all  *[]line
	with []slog.Attr
}

type line struct {
	level   slog.Level
	message string
	attrs   map[string]string
	text    string
}

func newLines() *lines { return &lines{mu: &sync.Mutex{}, all: &[]line{}} }

// Enabled implements [slog.Handler].
func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	one := line{level: r.Level, message: r.Message, attrs: map[string]string{}, text: r.Message}
	add := func(a slog.Attr) bool {
		one.attrs[a.Key] = fmt.Sprint(a.Value.Resolve().Any())
		one.text += " " + a.Key + "=" + one.attrs[a.Key]
		return true
	}
	for _, a := range l.with {
		add(a)
	}
	r.Attrs(add)
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.all = append(*l.all, one)
	return nil
}

// WithAttrs implements [slog.Handler].
func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lines{mu: l.mu, all: l.all, with: slices.Concat(l.with, attrs)}
}

// WithGroup implements [slog.Handler]; nobody here uses groups of attributes.
func (l *lines) WithGroup(string) slog.Handler { return l }

func (l *lines) has(message string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(*l.all, func(one line) bool { return strings.HasPrefix(one.message, message) })
}

// said is what the run below must be told of, and the attributes each such line has.
var said = map[string][]string{
	"partition serves":                          {"group", "partition"},
	"partition released":                        {"group", "partition", "why"},
	"partition is read again":                   {"group", "partition", "why", "cause"},
	"partition stopped":                         {"group", "partition", "why", "error"},
	"partitions assigned":                       {"group", "partitions"},
	"partitions taken away":                     {"group", "revoked"},
	"a command became a dead letter":            {"group", "partition", "offset", "command_id", "reason", "attempt"},
	"commit failed":                             {"group", "lane", "stage"},
	"foreign record in the journal passed over": {"group", "partition", "offset"},
}

// A run with everything that can be told of: no line holds an aggregate id, a payload or the message of a refusal, and each says where it is from.
func TestLogsHoldNoKeysAndNoPayloads(t *testing.T) {
	st := newStage(t, kafkatest.Embedded(t, embedded.Config{}).Brokers(), 2)
	log, wire := newLines(), &kafkatest.Tap{}
	cfg := st.config()
	cfg.Logger, cfg.Kafka.Options, cfg.TransactionTimeout = slog.New(log), wire.Option(), 500*time.Millisecond
	cfg.Handling = []muster.Middleware{muster.Logging(slog.New(log))}
	cfg.Sending = cfg.Handling
	const hidden = 987654321 // of a payload
	s := start(t, cfg, st.owner(func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		if in.Amount == hidden {
			panic(fmt.Sprint("sekret ", in.Amount))
		}
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	}))
	var account [2]string
	for i := 0; account[0] == "" || account[1] == ""; i++ {
		name := fmt.Sprintf("sekret-%d", i)
		account[kafka.Partition(name, 2)] = name
	}
	ctx := st.within()
	st.served(s, account[0])
	st.served(s, account[1])
	if _, err := st.withdraw.Call(ctx, s.Client(), account[0], withdraw{Amount: hidden}); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("refusal: %v", err)
	}
	if _, err := st.deposit.Call(ctx, s.Client(), account[0], deposit{Amount: hidden}, muster.MustNotExist()); muster.CodeOf(err) != muster.Aborted {
		t.Errorf("conflict: %v", err)
	}
	if _, err := st.deposit.Call(ctx, s.Client(), account[0], deposit{Amount: hidden}, muster.CommandID("poison-1")); muster.ReasonOf(err) != muster.ReasonPanic {
		t.Errorf("poison: %v", err)
	}
	st.write(st.command(account[0], `{"sekret":true}`, head("ce_id", "bad"), head("ce_type", "\x01"))) // a record that is no command
	// An aborted commit, whose end nobody learns.
	wire.Arm(kmsg.EndTxn, 1_000_000, false)
	aborted := make(chan error, 1)
	go func() {
		_, err := st.deposit.Call(ctx, s.Client(), account[0], deposit{Amount: 2})
		aborted <- err
	}()
	st.until("an outcome is unknown", func() bool { return log.has("partition is read again") })
	wire.Mend()
	if err := <-aborted; err != nil {
		t.Errorf("the call over the abort: %v", err)
	}
	// A rebalance there and back.
	other := st.config()
	other.Metrics, other.Logger = nil, cfg.Logger
	heir := start(t, other, st.owner(nil))
	st.until("a partition moved", func() bool { return log.has("partition released") })
	heir.end()
	st.until("all partitions are back", func() bool { return s.Ready() == nil })
	st.served(s, account[1])
	// Somebody writes to the journal what cannot be folded.
	foreign := st.command(account[1], `{"sekret":1}`)
	foreign.Topic = st.group.JournalTopic("")
	st.write(foreign, st.event(account[1], "strange-1", 9, `"sekret"`), st.event(account[1], "strange-2", 9, `"sekret"`))
	st.served(s, account[1])
	st.until("its partition stops", func() bool { return isStopped(s, "fold") })
	s.end()

	log.mu.Lock()
	defer log.mu.Unlock()
	for message, attrs := range said {
		n := 0
		for _, one := range *log.all {
			if !strings.HasPrefix(one.message, message) {
				continue
			}
			n++
			for _, name := range attrs {
				if one.attrs[name] == "" {
					t.Errorf("no %s in: %s", name, one.text)
				}
			}
		}
		if n == 0 {
			t.Errorf("nothing was told of %q", message)
		}
	}
	dead := 0
	for _, one := range *log.all {
		for _, leak := range []string{"sekret", fmt.Sprint(hidden), fmt.Sprintf("%x", hidden), "balance is"} {
			if strings.Contains(one.text, leak) {
				t.Errorf("%q is in a log line: %s", leak, one.text)
			}
		}
		where := one.attrs["group"] + one.attrs["dir"] + one.attrs["topic"] + one.attrs["report"] // report: the client library's own
		if where == "" && one.level > slog.LevelDebug {
			t.Errorf("nothing says what this is about: %s", one.text)
		}
		if one.attrs["command_id"] == "poison-1" && one.attrs["reason"] == muster.ReasonPanic {
			dead++
		}
	}
	if dead != 3 { // the dead letter, and Logging around handler and call
		t.Errorf("%d lines of the poison by its command id, want 3", dead)
	}
}
