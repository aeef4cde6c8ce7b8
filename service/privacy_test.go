package service_test

import (
	"context"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/internal/sealtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// forbidden has a field that the codec for tests cannot seal.
type forbidden struct{ Forbidden string }

// TestOpenChecksTheTypesOfPayloads: every place a type can stand in is asked about, before anything is opened.
func TestOpenChecksTheTypesOfPayloads(t *testing.T) {
	good := func() *bank { return newBank(t) }
	for name, part := range map[string]func() service.Part{
		"command": func() service.Part {
			b := good()
			muster.NewCommand[forbidden, account](b.group, "bad")
			return b.owner(nil)
		},
		"result": func() service.Part {
			b := good()
			muster.NewQuery[ask, forbidden](b.group, "bad")
			return b.owner(nil)
		},
		"state": func() service.Part {
			return muster.NewAggregate(muster.NewGroup(kafkatest.UniqueName(t, "g")), func() forbidden { return forbidden{} })
		},
		"event of a subscription": func() service.Part {
			g := muster.NewGroup(kafkatest.UniqueName(t, "g"))
			e := muster.NewEvent[forbidden](g, "bad")
			return muster.NewSubscription(g, "s", muster.On(e, func(context.Context, forbidden, muster.Meta) error { return nil }))
		},
		"row": func() service.Part {
			v := projector.NewView[forbidden](kafkatest.UniqueName(t, "v"))
			projector.On(v, good().credited, func(context.Context, *projector.Rows[forbidden], credited, muster.Meta) error { return nil })
			return v
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := service.Config{Name: "typed", Brokers: []string{"127.0.0.1:1"}, DataDir: t.TempDir(), Codec: &sealtest.Codec{}}
			_, err := service.Open(t.Context(), cfg, part())
			if err == nil || !strings.Contains(err.Error(), "Forbidden") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPrivacySettingsAreChecked(t *testing.T) {
	cfg := service.Config{Name: "typed", Brokers: []string{"127.0.0.1:1"}, Privacy: &crypto.Config{}}
	if _, err := service.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "SubjectKey") || !strings.Contains(err.Error(), "Keys is nil") {
		t.Errorf("got %v", err)
	}
}

// TestPrivacySwitchedOnAndOff: what was written in clear is read afterwards; what was sealed stops an owner that opens nothing, and says why.
func TestPrivacySwitchedOnAndOff(t *testing.T) {
	c, privacy := newClub(t), memoryPrivacy()
	cfg := service.Config{Name: kafkatest.UniqueName(t, "club"), Brokers: kafkatest.Embedded(t, embedded.Config{}).Brokers(), DataDir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := start(t, cfg, c.owner(), c.roll)
	if _, err := c.join.Call(ctx, s.Client(), "m-1", joinIn{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	s.end()
	cfg.Privacy = privacy
	s = start(t, cfg, c.owner(), c.roll)
	if got, err := c.look.Call(ctx, s.Client(), "m-1", joinIn{}); err != nil || got.Name != "Ada" {
		t.Errorf("from before: %+v, %v", got, err)
	}
	if got, err := c.join.Call(ctx, s.Client(), "m-1", joinIn{Name: "Ada L"}, muster.WaitFor(c.roll)); err != nil || got != (member{Name: "Ada L", Count: 2}) {
		t.Errorf("sealed: %+v, %v", got, err)
	}
	s.end()
	cfg.Privacy, cfg.DataDir, cfg.Recovery.SnapshotEvery = nil, t.TempDir(), -1
	again, err := service.Open(ctx, cfg, c.owner())
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- again.Run(run) }()
	err = again.AwaitReady(ctx)
	if err == nil || !strings.Contains(err.Error(), muster.ReasonSealedFormat) || !strings.Contains(err.Error(), "the payload is sealed, and this process opens none") {
		t.Errorf("an owner that opens nothing: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
