package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// deniedKMS is the KMS of a process without rights to it.
type deniedKMS struct{ crypto.KMS }

func (deniedKMS) Unwrap(context.Context, uint32, []byte, []byte) ([]byte, error) {
	return nil, crypto.ErrNoAccess
}

// An owner that has no right to the keys refuses to start, whoever denies it; a projection runs, and sees what it may.
func TestNoRightToTheKeys(t *testing.T) {
	c, privacy := newClub(t), memoryPrivacy()
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	name := kafkatest.UniqueName(t, "club")
	owner := start(t, service.Config{Name: name, Brokers: brokers, DataDir: t.TempDir(), Privacy: privacy}, c.owner())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.join.Call(ctx, owner.Client(), "m-1", joinIn{Name: "Ada", Plan: "gold"}); err != nil {
		t.Fatal(err)
	}
	for who, denied := range map[string]crypto.Config{
		"key store": {Keys: crypto.NoKeys(), KMS: privacy.KMS, SubjectKey: privacy.SubjectKey},
		"KMS":       {Keys: privacy.Keys, KMS: deniedKMS{privacy.KMS}, SubjectKey: privacy.SubjectKey},
	} {
		_, err := service.Open(ctx, service.Config{Name: "denied", Brokers: brokers, DataDir: t.TempDir(), Privacy: &denied}, c.owner())
		if !errors.Is(err, crypto.ErrNoAccess) || !strings.Contains(err.Error(), who) || !strings.Contains(err.Error(), c.group.Name()) {
			t.Errorf("an owner whom the %s denies its keys: %v", who, err)
		}
		seen := make(chan muster.Meta, 1)
		view := projector.NewView[member](kafkatest.UniqueName(t, "roll"))
		projector.On(view, c.joined, func(_ context.Context, rows *projector.Rows[member], e joinedFact, m muster.Meta) error {
			select {
			case seen <- m:
			default:
			}
			return rows.Put(m.AggregateID, member{Name: e.Name, Plan: e.Plan})
		})
		reader := start(t, service.Config{Name: kafkatest.UniqueName(t, "reader"), Brokers: brokers, DataDir: t.TempDir(), Privacy: &denied}, view)
		var at muster.Position
		select {
		case m := <-seen:
			at = m.Position()
			if r := m.Redaction; r.Access != muster.AccessDenied || !r.Denied || len(r.Paths) != 1 {
				t.Errorf("denied by the %s: %+v", who, m.Redaction)
			}
		case <-ctx.Done():
			t.Fatalf("denied by the %s, the projection sees nothing at all", who)
		}
		if err := reader.AwaitView(ctx, view.Name(), 1, at); err != nil {
			t.Fatal(err)
		}
		if got, err := view.Get(ctx, reader.Views(), "m-1"); err != nil || got != (member{Plan: "gold"}) {
			t.Errorf("denied by the %s, the row is %+v, %v", who, got, err)
		}
	}
	away := crypto.Config{Keys: privacy.Keys, KMS: awayKMS{privacy.KMS}, SubjectKey: privacy.SubjectKey} // not to be reached is another matter: it would wait
	waiting, err := service.Open(ctx, service.Config{Name: name, Brokers: brokers, DataDir: t.TempDir(), Privacy: &away}, c.owner())
	if err != nil {
		t.Fatal(err)
	}
	if err := waiting.Close(); err != nil {
		t.Error(err)
	}
}

// awayKMS is one that cannot be reached.
type awayKMS struct{ crypto.KMS }

func (awayKMS) Unwrap(context.Context, uint32, []byte, []byte) ([]byte, error) {
	return nil, errors.New("connection refused")
}
