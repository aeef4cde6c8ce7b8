package service_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/service"
)

// agedKeys is a key store whose first generation is 40 days old, once that is wanted, and whose second is two days old.
type agedKeys struct {
	crypto.KeyStore
	aged atomic.Bool
}

func (k *agedKeys) Active(ctx context.Context, subject crypto.SubjectRef) (crypto.Entry, error) {
	e, err := k.KeyStore.Active(ctx, subject)
	if subject == crypto.KEKSubject("") && k.aged.Load() {
		e.Created = e.Created.AddDate(0, 0, -map[uint32]int{1: 40, 2: 2}[e.Generation])
	}
	return e, err
}

// Two services that may rotate do it once, when it is due, and the erasure that has waited for it becomes final. What is not erased stays readable.
func TestServicesChangeTheGeneration(t *testing.T) {
	h := newErasureHouse(t)
	keys := &agedKeys{KeyStore: h.keys}
	run := func(name, dir string, parts ...service.Part) *running {
		return start(t, service.Config{
			Name: name, Brokers: h.brokers, DataDir: dir, Privacy: &crypto.Config{Keys: keys, KMS: h.kms, SubjectKey: h.secret},
			Erasure: &service.ErasureConfig{KeySpace: h.name, Look: 10 * time.Millisecond, Rotation: &service.KeyRotation{}},
		}, parts...)
	}
	owner, desk := run(h.name, t.TempDir(), h.owner()), run(h.name+"-desk", "")
	h.signsUp(owner, "anna", "Anna")
	h.signsUp(owner, "bert", "Bert")
	if _, err := desk.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	if e := h.await(owner, "anna"); e.State != crypto.ErasurePurged {
		t.Fatalf("before the generation is gone the erasure is %s", e.State)
	}
	keys.aged.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := owner.Privacy().Await(ctx, "anna", crypto.ErasureUnrecoverable); err != nil {
		t.Fatal(err)
	}
	for {
		is, on := desk.Privacy().Rotation()
		if !on || is.Generation > 2 || is.Failures > 0 {
			t.Fatalf("the rotation is %+v, %v", is, on)
		}
		if is.Generation == 2 && len(is.Earlier) == 0 && is.Live == 1 {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the rotation is %+v", is)
		}
	}
	if _, err := h.kms.Unwrap(t.Context(), 1, nil, nil); err == nil {
		t.Error("the first generation is not destroyed")
	}
	h.wantErased(owner, nil, "anna", "bert")
}

func TestRotationSettingsAreChecked(t *testing.T) {
	for want, c := range map[string]*service.KeyRotation{"KMS is nil": {}, "Keep": {KMS: crypto.NewMemoryKMS(), Every: time.Hour}} {
		err := service.Config{Name: "desk", Brokers: []string{"127.0.0.1:1"}, Erasure: &service.ErasureConfig{
			KeySpace: "people", Keys: crypto.NewMemoryKeys(), Rotation: c,
		}}.Validate()
		if err == nil || !strings.Contains(err.Error(), "Erasure.Rotation") || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, on := (&service.Privacy{}).Rotation(); on {
		t.Error("without a setting it is on")
	}
}
