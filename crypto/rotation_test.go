package crypto_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// rotationWorld is a key store with data keys of subjects 1 to n.
type rotationWorld struct {
	*testing.T
	keys  crypto.KeyStore
	kms   *crypto.LocalKMS
	first []crypto.Entry // as they were made
}

func newRotationWorld(t *testing.T, n int) *rotationWorld {
	w := &rotationWorld{T: t, keys: crypto.NewMemoryKeys(), kms: crypto.NewMemoryKMS()}
	for i := range n {
		w.first = append(w.first, w.create(byte(i+1), func() {}))
	}
	return w
}

func (w *rotationWorld) create(subject byte, between func()) crypto.Entry {
	w.Helper()
	e, err := crypto.CreateKey(w.Context(), w.keys, w.kms, "tenant", crypto.SubjectRef{subject}, between)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func (w *rotationWorld) rotation(keys crypto.KeyStore) *crypto.Rotation {
	w.Helper()
	r, err := crypto.NewRotation(crypto.RotationConfig{Keys: keys, KMS: w.kms, Tenants: []string{"tenant"}, Beside: 1})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *rotationWorld) begin(want uint32) {
	w.Helper()
	if g, err := w.rotation(w.keys).Begin(w.Context()); err != nil || g != want {
		w.Fatalf("Begin gives generation %d, %v; want %d", g, err, want)
	}
}

// opens fails the test unless the data key of a subject can be opened, under that generation.
func (w *rotationWorld) opens(subject byte, generation uint32) {
	w.Helper()
	e, err := w.keys.Active(w.Context(), crypto.SubjectRef{subject})
	if err == nil {
		err = crypto.OpenKey(w.Context(), w.keys, w.kms, "tenant", e)
	}
	if err != nil || e.Generation != generation {
		w.Fatalf("the key of subject %d is under generation %d, %v; want %d", subject, e.Generation, err, generation)
	}
}

// failing is a store that fails from its n-th Replace on, as for a process that is killed there.
type failing struct {
	crypto.KeyStore
	left atomic.Int64
}

func (f *failing) Replace(ctx context.Context, e crypto.Entry) error {
	if f.left.Add(-1) < 0 {
		return errors.New("killed")
	}
	return f.KeyStore.Replace(ctx, e)
}

// All keys come under the new generation although the re-wrap is killed again and again; then the old one is destroyed, and old copies open no more.
func TestRotation(t *testing.T) {
	const count = 40
	w := newRotationWorld(t, count)
	w.begin(2)
	if err := w.rotation(w.keys).Destroy(t.Context(), 1); !errors.Is(err, crypto.ErrGenerationInUse) {
		t.Fatalf("Destroy of a generation that wraps keys: %v", err)
	}
	for kills := 0; ; kills++ {
		store := &failing{KeyStore: w.keys}
		store.left.Store(7)
		done, err := w.rotation(store).Rewrap(t.Context())
		if err == nil {
			if done.Generation != 2 || done.Live != count || done.Destroyed != 0 || kills != 5 {
				t.Fatalf("after %d kills: %+v", kills, done)
			}
			break
		}
	}
	for n := range count {
		w.opens(byte(n+1), 2)
	}
	r := w.rotation(w.keys)
	if gone, err := r.Gone(t.Context(), []uint32{1}); gone || err != nil {
		t.Fatalf("generation 1 is gone before its time: %v", err)
	}
	for range 2 {
		if err := r.Destroy(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := r.Gone(t.Context(), []uint32{1}); !gone || err != nil {
		t.Fatalf("generation 1 is not gone: %v", err)
	}
	if gone, err := r.Gone(t.Context(), []uint32{1, 2}); gone || err != nil {
		t.Fatalf("generation 2 is gone: %v", err)
	}
	if err := crypto.OpenKey(t.Context(), w.keys, w.kms, "tenant", w.first[3]); !errors.Is(err, crypto.ErrKeyMissing) {
		t.Errorf("an old copy of a wrapped key: %v", err)
	}
	if err := r.Destroy(t.Context(), 2); !errors.Is(err, crypto.ErrGenerationInUse) {
		t.Errorf("Destroy of the current generation: %v", err)
	}
	for n := range count {
		w.opens(byte(n+1), 2)
	}
	w.create(200, func() {})
	w.opens(200, 2)
}

// A creator has wrapped its key under the old generation and stops; a whole rotation goes by and the old generation is destroyed. The key that it then
// stores can be opened all the same, or everything sealed with it would be lost.
func TestRotationAgainstCreation(t *testing.T) {
	w := newRotationWorld(t, 3)
	w.create(99, func() {
		w.begin(2)
		r := w.rotation(w.keys)
		if _, err := r.Rewrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.Destroy(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	})
	w.opens(99, 2)
}

// erasing destroys a subject in the middle of a re-wrap.
type erasing struct {
	crypto.KeyStore
	subject crypto.SubjectRef
	done    atomic.Bool
}

func (e *erasing) Replace(ctx context.Context, entry crypto.Entry) error {
	if entry.Subject == e.subject && !e.done.Swap(true) {
		if _, err := e.Destroy(ctx, e.subject, "erasure"); err != nil {
			return err
		}
	}
	return e.KeyStore.Replace(ctx, entry)
}

func TestRotationAgainstErasure(t *testing.T) {
	w := newRotationWorld(t, 5)
	w.begin(2)
	done, err := w.rotation(&erasing{KeyStore: w.keys, subject: crypto.SubjectRef{3}}).Rewrap(t.Context())
	if err != nil || done.Live != 5 || done.Destroyed != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	_, err = w.keys.Active(t.Context(), crypto.SubjectRef{3})
	keysGone(t, "Active", err)
	w.opens(4, 2)
}

// A key that is damaged, or of a tenant that the rotation was not told of, keeps its generation alive, and is told.
func TestRotationOfAKeyThatDoesNotOpen(t *testing.T) {
	w := newRotationWorld(t, 2)
	if _, err := w.keys.PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{9}, 9)); err != nil {
		t.Fatal(err)
	}
	w.begin(2)
	r := w.rotation(w.keys)
	if _, err := r.Rewrap(t.Context()); !errors.Is(err, crypto.ErrTampered) {
		t.Errorf("Rewrap: %v", err)
	}
	if err := r.Destroy(t.Context(), 1); !errors.Is(err, crypto.ErrGenerationInUse) {
		t.Errorf("Destroy: %v", err)
	}
}

func TestRenew(t *testing.T) {
	w := newRotationWorld(t, 1)
	w.begin(2)
	version, err := w.rotation(w.keys).Renew(t.Context(), crypto.SubjectRef{1})
	if err != nil || version != 2 {
		t.Fatalf("version %d, %v", version, err)
	}
	w.opens(1, 2)
	old, err := w.keys.Lookup(t.Context(), crypto.SubjectRef{1}, w.first[0].ID)
	if err != nil || old.State != crypto.EntryReadOnly || old.Generation != 1 || !slices.Equal(old.Wrapped, w.first[0].Wrapped) {
		t.Errorf("the old version is %+v, %v", old, err)
	}
}

// A generation of which none of the tenants has ever had a key is not known to be destroyed: somebody else's keys may be under it.
func TestAGenerationThatNobodyHadIsNotGone(t *testing.T) {
	w := newRotationWorld(t, 1)
	r, err := crypto.NewRotation(crypto.RotationConfig{Keys: w.keys, KMS: w.kms, Tenants: []string{"one", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := r.Gone(t.Context(), []uint32{1}); gone || !errors.Is(err, crypto.ErrKeyMissing) {
		t.Errorf("of a generation of another tenant: %v, %v", gone, err)
	}
	w.opens(1, 1)
}
