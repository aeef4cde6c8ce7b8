package service_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// erasureHouse is a key space and the contract of people in it; services come and go.
type erasureHouse struct {
	t       *testing.T
	name    string
	brokers []string
	keys    crypto.KeyStore
	kms     crypto.KMS
	secret  []byte
	group   *muster.Group
	signUp  *muster.CommandType[*peoplepb.SignUp, *peoplepb.Person]
	ask     *muster.QueryType[*peoplepb.Ask, *peoplepb.Person]
	signed  *muster.EventType[*peoplepb.SignedUp]
	alter   func(*service.Config) // of what is started next; may be nil
	folds   func(name string)     // hears of each event that an owner folds; may be nil, set before owner
}

func newErasureHouse(t *testing.T, opts ...muster.GroupOption) *erasureHouse {
	t.Helper()
	h := erasureHouseOf(kafkatest.UniqueName(t, "people"), kafkatest.Embedded(t, embedded.Config{}).Brokers(), opts...)
	h.t, h.keys, h.kms = t, crypto.NewMemoryKeys(), crypto.NewMemoryKMS()
	return h
}

// erasureHouseOf is one without keys, as several processes have it.
func erasureHouseOf(name string, brokers []string, opts ...muster.GroupOption) *erasureHouse {
	h := &erasureHouse{name: name, brokers: brokers, secret: slices.Repeat([]byte{9}, 32)}
	h.group = muster.NewGroup(h.name, append([]muster.GroupOption{muster.Partitions(2)}, opts...)...)
	h.signUp = muster.NewCommand[*peoplepb.SignUp, *peoplepb.Person](h.group, "people.SignUp")
	h.ask = muster.NewQuery[*peoplepb.Ask, *peoplepb.Person](h.group, "people.Ask")
	h.signed = muster.NewEvent[*peoplepb.SignedUp](h.group, "people.SignedUp")
	return h
}

func (h *erasureHouse) owner() *muster.Aggregate[*peoplepb.Person] {
	a := muster.NewAggregate(h.group, func() *peoplepb.Person { return &peoplepb.Person{} })
	muster.Decide(a, h.signUp, func(_ context.Context, r *muster.Root[*peoplepb.Person], in *peoplepb.SignUp) (*peoplepb.Person, error) {
		h.signed.Emit(r, &peoplepb.SignedUp{Name: in.Name, Email: in.Email, City: in.City})
		return r.State(), nil
	})
	folds := h.folds
	muster.Evolve(a, h.signed, func(s *peoplepb.Person, e *peoplepb.SignedUp) *peoplepb.Person {
		if folds != nil {
			folds(e.Name)
		}
		s.Name, s.Email, s.City, s.Letters = e.Name, e.Email, e.City, int64(len(e.Name))
		s.Orders++ // which only the history knows
		return s
	})
	muster.Answer(a, h.ask, func(_ context.Context, s muster.State[*peoplepb.Person], _ *peoplepb.Ask) (*peoplepb.Person, error) {
		return s.Value(), nil
	})
	return a
}

func (h *erasureHouse) view() *projector.View[*peoplepb.Person] {
	v := projector.NewView[*peoplepb.Person](h.name)
	projector.On(v, h.signed, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.SignedUp, m muster.Meta) error {
		return rows.Put(m.AggregateID, &peoplepb.Person{Name: e.Name, Email: e.Email, City: e.City})
	})
	return v
}

// start runs a service of the house with a codec of its own.
func (h *erasureHouse) start(dir string, failpoint func(string), parts ...service.Part) *running {
	h.t.Helper()
	return start(h.t, h.config(dir, failpoint, parts...), parts...)
}

func (h *erasureHouse) config(dir string, failpoint func(string), parts ...service.Part) service.Config {
	h.t.Helper()
	codec, err := crypto.Open(h.t.Context(), crypto.Config{Keys: h.keys, KMS: h.kms, SubjectKey: h.secret})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = codec.Close() })
	name := h.name
	if len(parts) == 0 {
		name += "-desk"
	}
	cfg := service.Config{
		Name: name, Brokers: h.brokers, DataDir: dir, Codec: codec, Failpoint: failpoint,
		Erasure: &service.ErasureConfig{KeySpace: h.name, Keys: h.keys, Ref: h.ref},
	}
	if h.alter != nil {
		h.alter(&cfg)
	}
	return cfg
}

func (h *erasureHouse) ref(subject string) crypto.SubjectRef {
	return crypto.RefOf(h.secret, "", subject)
}

func (h *erasureHouse) signsUp(s *running, id, name string, opts ...muster.CallOption) {
	h.t.Helper()
	if _, err := h.signUp.Call(h.t.Context(), s.Client(), id, &peoplepb.SignUp{Name: name, Email: name + "@example.org", City: "Bern"}, opts...); err != nil {
		h.t.Fatal(err)
	}
}

// wantErased checks that nothing personal is left of one person, and everything of another.
func (h *erasureHouse) wantErased(s *running, v *projector.View[*peoplepb.Person], gone, left string) {
	h.t.Helper()
	got, err := h.ask.Call(h.t.Context(), s.Client(), gone, &peoplepb.Ask{})
	if err != nil || got.Name != "" || got.Email != "" || got.Letters != 0 || got.City != "Bern" {
		h.t.Errorf("of the erased one the owner has %v, %v", got, err)
	}
	if got, err = h.ask.Call(h.t.Context(), s.Client(), left, &peoplepb.Ask{}); err != nil || got.Name == "" || got.Letters == 0 {
		h.t.Errorf("of the other one the owner has %v, %v", got, err)
	}
	if v != nil {
		if got, err = v.Get(h.t.Context(), s.Views(), gone); err != nil || got.Name != "" || got.City != "Bern" {
			h.t.Errorf("of the erased one the view has %v, %v", got, err)
		}
		if got, err = v.Get(h.t.Context(), s.Views(), left); err != nil || got.Name == "" {
			h.t.Errorf("of the other one the view has %v, %v", got, err)
		}
	}
	var proof service.Verification
	eventually(h.t, "the partition of the erased one is served", func() bool { // one with older rows is on hold while they are replaced
		proof, err = s.Privacy().VerifyErased(h.t.Context(), gone)
		return err != nil || proof.Aggregates > 0
	})
	if err != nil || len(proof.Faults) > 0 || proof.Aggregates != 1 || proof.Keys != 1 {
		h.t.Errorf("the verification gives %+v, %v", proof, err)
	}
	if _, err := s.Privacy().Export(h.t.Context(), gone, "desk", io.Discard); muster.CodeOf(err) != muster.FailedPrecondition {
		h.t.Errorf("an export of the erased one gives %v", err)
	}
}
