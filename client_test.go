package muster_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
)

// sender is a command topic in memory. A test says what happens to what is written.
type sender struct {
	mu   sync.Mutex // guards sent
	sent []*muster.Command

	each func(ctx context.Context, cmd *muster.Command) error // not nil: decides what SendCommands does with a command
}

func (s *sender) SendCommands(ctx context.Context, g *muster.Group, cmds []*muster.Command) []error {
	errs := make([]error, len(cmds))
	for i, cmd := range cmds {
		s.mu.Lock()
		cmd.Topic, cmd.Offset = g.CommandTopic(""), int64(len(s.sent))
		s.sent = append(s.sent, cmd)
		s.mu.Unlock()
		if s.each != nil {
			errs[i] = s.each(ctx, cmd)
		}
	}
	return errs
}

// result makes the outcome a deposit answers with.
func result(t testing.TB, id string, balance float64) *muster.Outcome {
	t.Helper()
	data, content, err := muster.PlainCodec{}.Encode(nil, muster.Place{}, account{Balance: balance})
	if err != nil {
		t.Fatal(err)
	}
	return &muster.Outcome{
		CommandID: id, ContentType: content, Payload: data, Revision: 7,
		Position: muster.Position{Topic: "accounts.events", Partition: 3, Offset: 41},
	}
}

// newClient makes a client whose commands go to each; nil takes them and never answers.
func newClient(each func(ctx context.Context, cmd *muster.Command) error) (*muster.Client, *sender) {
	s := &sender{each: each}
	return muster.NewClient(muster.ClientConfig{Sender: s, ReplyTo: muster.ReplyTo{Topic: "replies.web", Partition: 5}}), s
}

// The reply may outrun the acknowledgement of the command: the waiter is there before anything is sent.
func TestReplyBeforeTheAcknowledgement(t *testing.T) {
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		if c.Waiting() != 1 {
			t.Errorf("%d calls wait when the command is written, want 1", c.Waiting())
		}
		c.Deliver(result(t, cmd.ID, 5))
		return nil
	})
	var receipt muster.Receipt
	got, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("c1"), muster.ReceiptTo(&receipt))
	if err != nil || got.Balance != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	if want := (muster.Receipt{CommandID: "c1", Revision: 7, Position: muster.Position{Topic: "accounts.events", Partition: 3, Offset: 41}}); receipt != want {
		t.Errorf("receipt %+v", receipt)
	}
	if c.Waiting() != 0 || c.Late() != 0 {
		t.Errorf("%d waiting, %d late", c.Waiting(), c.Late())
	}
}

// An answer in hand is given, however late or failed the acknowledgement: the caller must not be told "unknown" of what is known.
func TestAnswerInHandWins(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context) error{
		"deadline passes before the acknowledgement": func(ctx context.Context) error { <-ctx.Done(); return nil },
		"acknowledgement fails":                      func(context.Context) error { return errors.New("connection lost") },
		"acknowledgement times out":                  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c *muster.Client
				c, _ = newClient(func(ctx context.Context, cmd *muster.Command) error {
					c.Deliver(result(t, cmd.ID, 5))
					return end(ctx)
				})
				b := newBank()
				for range 64 { // a choice between two ready channels is random
					if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}); err != nil || got.Balance != 5 {
						t.Fatalf("%+v, %v", got, err)
					}
				}
			})
		})
	}
}

// Two calls with one id, as after a retry, are both answered by whichever reply comes; the other reply is late and leaks nothing.
func TestTwoCallsWithOneID(t *testing.T) {
	var c *muster.Client
	var both sync.WaitGroup
	both.Add(2)
	c, s := newClient(func(context.Context, *muster.Command) error { both.Done(); return nil })
	b := newBank()
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() {
			if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("c1")); err != nil || got.Balance != 5 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	both.Wait()
	if c.Waiting() != 2 || len(s.sent) != 2 {
		t.Errorf("%d calls in flight, %d sent, want 2 of each", c.Waiting(), len(s.sent))
	}
	c.Deliver(result(t, "c1", 5))
	calls.Wait()
	c.Deliver(result(t, "c1", 5))
	if c.Waiting() != 0 || c.Late() != 1 {
		t.Errorf("%d waiting, %d late, want 0 and 1", c.Waiting(), c.Late())
	}
}

func TestTimeoutIsAnUnknownOutcome(t *testing.T) {
	for name, test := range map[string]struct {
		opts  []muster.CallOption
		bound time.Duration // of the context; 0 means none
		want  time.Duration
	}{
		"default":         {want: 5 * time.Second},
		"option":          {opts: []muster.CallOption{muster.Timeout(30 * time.Second)}, want: 30 * time.Second},
		"context":         {bound: time.Second, want: time.Second},
		"context, longer": {bound: time.Minute, want: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := newClient(nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.bound > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.bound)
					defer cancel()
				}
				began := time.Now()
				_, err := newBank().Deposit.Call(ctx, c, "acc-1", order{}, test.opts...)
				if took := time.Since(began); took != test.want {
					t.Errorf("took %s, want %s", took, test.want)
				}
				checkError(t, err, muster.DeadlineExceeded, muster.ErrOutcomeUnknown, true)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is not the context's error", err)
				}
				if got := s.sent[0].Deadline; !got.Equal(began.Add(test.want)) {
					t.Errorf("the deadline that travels is %s after the start, want %s", got.Sub(began), test.want)
				}
				c.Deliver(result(t, s.sent[0].ID, 5))
				if c.Waiting() != 0 || c.Late() != 1 {
					t.Errorf("%d waiting, %d late, want 0 and 1", c.Waiting(), c.Late())
				}
			})
		})
	}
}

// An untyped call is bounded by the client's timeout as well: it must not wait for ever for an owner that is gone.
func TestUntypedCallIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newClient(nil)
		cmd := command("deposit", "acc-1", "c1", order{})
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := c.Call(ctx, newBank().Group, &cmd)
			done <- err
		}()
		limit := time.NewTimer(time.Hour)
		defer limit.Stop()
		select {
		case err := <-done:
			checkError(t, err, muster.DeadlineExceeded, muster.ErrOutcomeUnknown, true)
			if s.sent[0].Deadline.IsZero() {
				t.Error("the command carries no deadline")
			}
		case <-limit.C:
			t.Error("still waiting after an hour")
		}
		cancel()
	})
}

func TestCancelIsAnUnknownOutcome(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := newClient(func(context.Context, *muster.Command) error { cancel(); return nil })
	_, err := newBank().Deposit.Call(ctx, c, "acc-1", order{})
	checkError(t, err, muster.Cancelled, muster.ErrOutcomeUnknown, true)
	if !errors.Is(err, context.Canceled) || c.Waiting() != 0 {
		t.Errorf("%v; %d waiting", err, c.Waiting())
	}
}

// A context that is over sends nothing, so nothing is unknown.
func TestNothingIsSentForACallThatIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, s := newClient(nil)
	_, err := newBank().Deposit.Call(ctx, c, "acc-1", order{})
	if muster.CodeOf(err) != muster.Cancelled || errors.Is(err, muster.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) || len(s.sent) != 0 {
		t.Errorf("%v, sent %d", err, len(s.sent))
	}
	notReady := muster.NewClient(muster.ClientConfig{
		Sender: s, ReplyTo: muster.ReplyTo{Topic: "replies.web"}, Timeout: time.Millisecond,
		Ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	})
	_, err = newBank().Deposit.Call(t.Context(), notReady, "acc-1", order{})
	if muster.CodeOf(err) != muster.DeadlineExceeded || errors.Is(err, muster.ErrOutcomeUnknown) || len(s.sent) != 0 {
		t.Errorf("replies not read yet: %v, sent %d", err, len(s.sent))
	}
}

func TestCloseEndsCallsInFlight(t *testing.T) {
	var sent, calls sync.WaitGroup
	sent.Add(3)
	c, s := newClient(func(context.Context, *muster.Command) error { sent.Done(); return nil })
	b := newBank()
	for n := range 3 {
		calls.Go(func() {
			_, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID(fmt.Sprint("c", n/2)))
			checkError(t, err, muster.Unavailable, muster.ErrShuttingDown, true)
		})
	}
	sent.Wait()
	c.Close()
	c.Close()
	calls.Wait()
	_, err := b.Deposit.Call(t.Context(), c, "acc-1", order{})
	checkError(t, err, muster.Unavailable, muster.ErrShuttingDown, true)
	_, err = b.Deposit.Send(t.Context(), c, "acc-1", order{})
	checkError(t, err, muster.Unavailable, muster.ErrShuttingDown, true)
	cmd := command("deposit", "acc-1", "c9", order{})
	for _, err := range c.SendAll(t.Context(), b.Group, []*muster.Command{&cmd, &cmd}) {
		checkError(t, err, muster.Unavailable, muster.ErrShuttingDown, true)
	}
	c.Deliver(result(t, "c0", 1))
	if len(s.sent) != 3 || c.Waiting() != 0 || c.Late() != 1 {
		t.Errorf("sent %d, %d waiting, %d late", len(s.sent), c.Waiting(), c.Late())
	}
}

// Many calls at once, replies in any order, twice, and for nobody: each caller gets its own.
func TestManyCallsAtOnce(t *testing.T) {
	replies := make(chan string, 1000)
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error { replies <- cmd.ID; return nil })
	var reader, calls sync.WaitGroup
	reader.Go(func() {
		for id := range replies {
			var n float64
			_, _ = fmt.Sscanf(id, "c%g", &n)
			c.Deliver(result(t, id, n))
			c.Deliver(result(t, id, -1))
			c.Deliver(result(t, "nobody", -1))
		}
	})
	b := newBank()
	for n := range 400 {
		calls.Go(func() {
			if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID(fmt.Sprint("c", n))); err != nil || got.Balance != float64(n) {
				t.Errorf("call %d: %+v, %v", n, got, err)
			}
		})
	}
	calls.Wait()
	close(replies)
	reader.Wait()
	if c.Waiting() != 0 || c.Late() != 800 {
		t.Errorf("%d waiting, %d late, want 0 and 800", c.Waiting(), c.Late())
	}
}

// Calls, replies and Close at once: every call ends, with its answer or with the reason.
func TestCloseRacesWithCalls(t *testing.T) {
	for range 50 {
		var c *muster.Client
		c, _ = newClient(func(_ context.Context, cmd *muster.Command) error { c.Deliver(result(t, cmd.ID, 1)); return nil })
		b := newBank()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}); err != nil && !errors.Is(err, muster.ErrShuttingDown) || err == nil && got.Balance != 1 {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		all.Go(c.Close)
		all.Wait()
		if c.Waiting() != 0 {
			t.Fatalf("%d calls are left", c.Waiting())
		}
	}
}
