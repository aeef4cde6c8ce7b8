package crypto_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

type codecWorld struct {
	*crypto.Codec
	store *codecStore
	kms   *codecKMS
}

// openCodec gives a codec on a key store of its own, which it watches.
func openCodec(t testing.TB, change ...func(*crypto.Config)) *codecWorld {
	t.Helper()
	w := &codecWorld{store: newCodecStore(), kms: &codecKMS{}}
	cfg := crypto.Config{Keys: w.store, KMS: w.kms, SubjectKey: bytes.Repeat([]byte{7}, 32), Tenant: "acme"}
	for _, f := range change {
		f(&cfg)
	}
	watching, other := make(chan struct{}, 100), cfg.Observe.Watch
	cfg.Observe.Watch = func(live bool, err error) {
		if other != nil {
			other(live, err)
		}
		if live {
			watching <- struct{}{}
		}
	}
	codec, err := crypto.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { codec.Close() })
	<-watching
	w.Codec = codec
	return w
}

func eventAt(id string, revision uint64) muster.Place {
	return muster.Place{Purpose: muster.PurposeEvent, Group: "people", Type: "people.SignedUp", AggregateID: id, Revision: revision, MessageID: "m1/0"}
}

func anna() *personpb.Person {
	return &personpb.Person{
		Id: "p-1", Name: "Anna Canary", Phones: []string{"555-canary", "556-canary"}, Traits: map[string]string{"hair": "canary red"},
		Home: &personpb.Address{City: "Bern", Street: "Canary Lane 1"}, Work: &personpb.Address{City: "canary town"}, Born: 1970,
		Former: []*personpb.Address{{Street: "canary a"}, {Street: "canary b"}}, Visits: 7, Scores: []int32{1, 2, 3},
		Contact: &personpb.Person_Email{Email: "anna@canary.example"}, Nickname: proto.String("canary"),
		Items: []*personpb.Item{{Sku: "a", Count: 1}}, Shelf: map[string]*personpb.Item{"x": {Sku: "b"}}, Friend: &personpb.Person{Name: "canary friend", Visits: 3},
	}
}

func TestWhatIsSealedIsReadAgainAndNotSeen(t *testing.T) {
	w := openCodec(t)
	place := eventAt("p-1", 1)
	data, content, err := w.Encode(nil, place, anna())
	if err != nil {
		t.Fatal(err)
	}
	if content != muster.ContentSealed {
		t.Errorf("the content type is %q", content)
	}
	if bytes.Contains(data, []byte("anary")) {
		t.Errorf("personal data is seen in %q", data)
	}
	if !bytes.Contains(data, []byte("Bern")) {
		t.Errorf("what is not personal is not clear in %q", data)
	}
	place.ContentType = content
	got := &personpb.Person{}
	redaction, err := w.Reveal(place, data, got)
	if err != nil || redaction.Access != muster.AccessOpen {
		t.Fatal(redaction, err)
	}
	if want := anna(); !proto.Equal(got, want) {
		t.Errorf("read back %v,\nwant %v", got, want)
	}
	place.Revision = 2
	if err := w.Decode(place, data, got); !errors.Is(err, crypto.ErrTampered) {
		t.Errorf("at another revision it opens: %v", err)
	}
}

func TestShreddedFieldsAreAbsent(t *testing.T) {
	w := openCodec(t)
	place := muster.Place{Purpose: muster.PurposeCommand, Group: "bank", Type: "bank.Transfer", AggregateID: "acc", MessageID: "c1"}
	in := &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert", Amount: 5, Note: "rent"}
	data, _, err := w.Encode(nil, place, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Destroy(t.Context(), w.Ref("anna"), "e1"); err != nil {
		t.Fatal(err)
	}
	got := &personpb.Transfer{}
	redaction, err := w.Reveal(place, data, got)
	if err != nil {
		t.Fatal(err)
	}
	in.FromName = ""
	if redaction.Access != muster.AccessPartial || !slices.Equal(redaction.Paths, []string{"from_name"}) || !proto.Equal(got, in) {
		t.Errorf("got %v, %v", redaction, got)
	}
	if _, _, err := w.Encode(nil, place, &personpb.Transfer{From: "anna", FromName: "Anna"}); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("sealing for a subject that is erased gives %v", err)
	}
}
