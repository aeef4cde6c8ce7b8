//go:build unix

package service_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// clerkConfig is what such a process is told: it owns the house's group and view, and dies by kill -9 at its point.
type clerkConfig struct {
	House    string
	Brokers  []string
	Dir, KMS string
	Point    string // of the engine, or pointActs
	SignsUp  bool   // it has two people sign up first
	Requests bool   // and asks for the erasure of one
}

// pointActs is in the middle of what the view does about an erasure.
const pointActs = "projection-acts"

func (c *clerkConfig) work(ctx context.Context, _ <-chan struct{}) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h := erasureHouseOf(c.House, c.Brokers, muster.Partitions(2))
	keys, err := service.OpenKeys(ctx, service.Config{Name: h.name, Brokers: h.brokers}, h.name)
	if err != nil {
		return err
	}
	defer keys.Close()
	kms, err := crypto.OpenFileKMS(c.KMS, nil)
	if err != nil {
		return err
	}
	defer kms.Close()
	die := func(name string) {
		if c.Point == pointActs && strings.HasPrefix(name, "erasing-") {
			select {} // the owner's steps have points of their own
		}
		if name == c.Point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	view := h.view()
	projector.OnErased(view, func(context.Context, *projector.Rows[*peoplepb.Person], projector.SubjectErased) error {
		die(pointActs)
		return nil
	})
	s, err := service.Open(ctx, service.Config{
		Name: h.name, Instance: "clerk", Brokers: h.brokers, DataDir: c.Dir, SessionTimeout: session, Failpoint: die,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Privacy: &crypto.Config{Keys: keys, KMS: kms, SubjectKey: h.secret}, Erasure: &service.ErasureConfig{KeySpace: h.name},
	}, h.owner(), view)
	if err != nil {
		return err
	}
	asked := make(chan error, 1)
	go func() { asked <- c.ask(ctx, h, s, view) }()
	err = s.Run(ctx)
	stop()
	return errors.Join(err, <-asked)
}

// ask is what the people and the desk of the house do.
func (c *clerkConfig) ask(ctx context.Context, h *erasureHouse, s *service.Service, view *projector.View[*peoplepb.Person]) error {
	if err := s.AwaitReady(ctx); err != nil {
		return nil //nolint:nilerr // it is told to end
	}
	for _, id := range []string{"anna", "bert"} {
		if !c.SignsUp {
			break
		}
		if _, err := h.signUp.Call(ctx, s.Client(), id, &peoplepb.SignUp{Name: id, Email: id + "@example.org", City: "Bern"}, muster.WaitFor(view)); err != nil {
			return err
		}
	}
	if !c.Requests {
		return nil
	}
	_, err := s.Privacy().Erase(ctx, "anna", "gdpr-17", "desk")
	return err
}

// diesAt runs such a process until it has killed itself.
func (c clerkConfig) diesAt(t *testing.T, point string) {
	t.Helper()
	c.Point = point
	p := spawnAs(t, "MUSTER_TEST_CLERK", "clerk to die at "+point, c)
	select {
	case <-p.done:
	case <-bounded(t).Done():
		t.Fatalf("it was not at %s in time", point)
	}
	if status, is := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !is || status.Signal() != syscall.SIGKILL {
		t.Fatalf("it did not come to %s but ended: %v", point, p.cmd.ProcessState)
	}
}

// One erasure, and the process that carries it out is killed at every step of it, by kill -9. In the end it is purged, nothing of the person opens, the
// other one is as before, and the ledger holds each step once, in a chain.
func TestKillAtEachStepOfAnErasure(t *testing.T) {
	brokers := anyBrokers(t)
	h := erasureHouseOf(kafkatest.UniqueName(t, "people"), brokers, muster.Partitions(2))
	h.t = t
	c := clerkConfig{House: h.name, Brokers: brokers, Dir: t.TempDir(), KMS: t.TempDir() + "/kms", SignsUp: true, Requests: true}
	for _, point := range []string{
		"erasure-requested", "erasure-keys-destroyed-done", "erasure-keys-destroyed", "erasure-propagating-done", "erasure-propagating",
		pointActs, "erasing-folded", "erasing-replaced", "erasing-marked", "erasure-carried-out", "erasure-purged-done", "erasure-purged",
	} {
		c.diesAt(t, point)
		c.SignsUp, c.Requests = false, false
	}
	keys, err := service.OpenKeys(t.Context(), service.Config{Name: h.name, Brokers: brokers, ExistingTopics: true}, h.name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	kms, err := crypto.OpenFileKMS(c.KMS, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kms.Close() })
	h.keys, h.kms = keys, kms
	h.alter = func(cfg *service.Config) { cfg.Instance, cfg.SessionTimeout = "clerk", session }
	view := h.view()
	s := h.start(c.Dir, nil, h.owner(), view)
	e := h.await(s, "anna")
	if len(e.Done) != 4 || len(e.Receipt.Keys) != 1 || len(s.Privacy().Ledger().Erasures()) != 1 {
		t.Errorf("the erasure is %+v", e)
	}
	h.wantErased(s, view, "anna", "bert")
	h.signsUp(s, "bert", "Bert again", muster.WaitFor(view))
	if proof, err := s.Privacy().VerifyErased(t.Context(), "anna"); err != nil || proof.Events != 1 {
		t.Errorf("looked at %+v, %v; want the event of the sign-up", proof, err)
	}
	acks := map[string]bool{} // by time: what is acknowledged at once is one record
	for _, a := range e.Done {
		acks[a.Time.String()] = true
	}
	// Joined, requested, three states, and the acknowledgements: nothing twice.
	if _, records := s.Privacy().Ledger().Head(); records != 5+len(acks) {
		t.Errorf("%d records count, with %d of acknowledgements", records, len(acks))
	}
}
