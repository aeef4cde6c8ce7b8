package crypto_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// SignedUp is an event with personal data of the user that UserID names.
type SignedUp struct {
	UserID string `muster:"subject_id"`
	Name   string `muster:"personal,subject=UserID"`
	Plan   string
}

func Example() {
	ctx := context.Background()
	keys := crypto.NewMemoryKeys() // of a program that runs twice: in a database or in Kafka
	codec, err := crypto.Open(ctx, crypto.Config{Keys: keys, KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer codec.Close()

	// A service does this with every payload, given service.Config{Codec: codec}.
	place := muster.Place{Purpose: muster.PurposeEvent, Group: "users", Type: "users.SignedUp", AggregateID: "u-1", Revision: 1, MessageID: "c-1/0"}
	payload, contentType, err := codec.Encode(nil, place, SignedUp{UserID: "u-1", Name: "Anna", Plan: "free"})
	fmt.Println(contentType, err)

	var event SignedUp
	err = codec.Decode(place, payload, &event)
	fmt.Println(event, err)

	place.Revision = 2 // the same bytes at another place
	fmt.Println(errors.Is(codec.Decode(place, payload, &event), crypto.ErrTampered))
	// Output:
	// application/vnd.muster.sealed <nil>
	// {u-1 Anna free} <nil>
	// true
}

func ExampleCodec_Reveal() {
	ctx := context.Background()
	keys := crypto.NewMemoryKeys()
	cfg := crypto.Config{Keys: keys, KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32)}
	codec, err := crypto.Open(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	place := muster.Place{Purpose: muster.PurposeEvent, Group: "users", Type: "users.SignedUp", AggregateID: "u-1", Revision: 1, MessageID: "c-1/0"}
	payload, _, err := codec.Encode(nil, place, SignedUp{UserID: "u-1", Name: "Anna", Plan: "free"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := keys.Destroy(ctx, codec.Ref("u-1"), "erasure-1"); err != nil {
		fmt.Println(err)
		return
	}
	codec.Close()

	later, err := crypto.Open(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer later.Close()
	var event SignedUp
	withheld, err := later.Reveal(place, payload, &event)
	fmt.Printf("%+v %v %v\n", event, withheld.Paths, err)
	// Output: {UserID:u-1 Name: Plan:free} [Name] <nil>
}

func ExamplePseudonymousID() {
	key := []byte("32 secret bytes, never changed..")
	fmt.Println(crypto.PseudonymousID(key, "anna@example.com"))
	// Output: yntizpq2qhgg44b2p7ldfhfmpy
}

func ExampleSecret() {
	cfg := struct {
		Region string
		Key    crypto.Secret
	}{"eu", crypto.Secret("hush")}
	fmt.Printf("%+v\n", cfg)
	// Output: {Region:eu Key:(set)}
}

func ExampleCodec_Redacted() {
	codec, err := crypto.Open(context.Background(), crypto.Config{Keys: crypto.NewMemoryKeys(), KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer codec.Close()
	fmt.Println(codec.Redacted(SignedUp{UserID: "u-1", Name: "Anna", Plan: "free"}))
	// Output: {"UserID":"u-1","Plan":"free"}
}

func ExampleRemainder() {
	type profile struct {
		Born string `muster:"personal"`
	}
	_ = crypto.Config{Types: []crypto.Declaration{
		crypto.Remainder(func(p profile) profile { return profile{Born: p.Born[:4]} }), // the year outlives an erasure
	}}
}

func ExampleWhole() {
	type scan struct {
		Patient string
		Image   []byte
	}
	_ = crypto.Config{Types: []crypto.Declaration{
		crypto.Whole(func(s scan) string { return s.Patient }),
		crypto.Whole[muster.Raw](nil), // of the person that the aggregate id names
	}}
}
