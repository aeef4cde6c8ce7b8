package crypto_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// exampleKey gives what a codec stores of a new key.
func exampleKey(subject crypto.SubjectRef) crypto.Entry {
	return crypto.Entry{Subject: subject, ID: crypto.KeyID{1}, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: []byte("wrapped")}
}

// A key store in memory: the first of two who make a key wins, and what is destroyed stays so.
func ExampleNewMemoryKeys() {
	ctx, keys, ada := context.Background(), crypto.NewMemoryKeys(), crypto.RefOf(make([]byte, 32), "acme", "ada")
	first, err := keys.PutIfAbsent(ctx, exampleKey(ada))
	if err != nil {
		panic(err)
	}
	second := exampleKey(ada)
	second.ID = crypto.KeyID{2}
	held, err := keys.PutIfAbsent(ctx, second)
	if err != nil {
		panic(err)
	}
	fmt.Println("the first one holds:", held.ID == first.ID)
	if _, err := keys.Destroy(ctx, ada, "erasure-1"); err != nil {
		panic(err)
	}
	_, err = keys.Active(ctx, ada)
	fmt.Println(err)
	// Output:
	// the first one holds: true
	// the subject's keys are destroyed
}

// A key store in a file, which another process goes on with.
func ExampleOpenFileKeys() {
	dir, err := os.MkdirTemp("", "muster-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, path, ada := context.Background(), filepath.Join(dir, "keys"), crypto.RefOf(make([]byte, 32), "acme", "ada")
	for n := range 2 {
		keys, err := crypto.OpenFileKeys(path)
		if err != nil {
			panic(err)
		}
		if n == 0 {
			_, err = keys.PutIfAbsent(ctx, exampleKey(ada))
		} else {
			var e crypto.Entry
			e, err = keys.Active(ctx, ada)
			fmt.Println("version", e.Version)
		}
		if err != nil {
			panic(err)
		}
		if err := keys.Close(); err != nil {
			panic(err)
		}
	}
	// Output:
	// version 1
}

// exampleTable is a database with rows of bytes; [crypto.Rows] says what its methods promise.
type exampleTable struct {
	crypto.Rows
	rows map[crypto.SubjectRef][]byte
}

func (t exampleTable) Get(_ context.Context, subject crypto.SubjectRef) ([]byte, error) {
	return t.rows[subject], nil
}

func (t exampleTable) Update(_ context.Context, subject crypto.SubjectRef, f func(row []byte, place int64) ([]byte, error)) error {
	row, err := f(t.rows[subject], 1)
	if err == nil && row != nil {
		t.rows[subject] = row
	}
	return err
}

// A key store in whatever can change a row of bytes.
func ExampleKeysIn() {
	ctx, keys, ada := context.Background(), crypto.KeysIn(exampleTable{rows: map[crypto.SubjectRef][]byte{}}), crypto.SubjectRef{1}
	if _, err := keys.PutIfAbsent(ctx, exampleKey(ada)); err != nil {
		panic(err)
	}
	_, err := keys.Lookup(ctx, ada, crypto.KeyID{9})
	fmt.Println(err)
	// Output:
	// no such key, and no mark that it was destroyed; is this the right key store, and is it complete?
}

// exampleSeal has a codec make a key for somebody.
func exampleSeal(keys crypto.KeyStore, kms crypto.KMS, subject string) {
	codec, err := crypto.Open(context.Background(), crypto.Config{Keys: keys, KMS: kms, SubjectKey: make([]byte, 32)})
	if err != nil {
		panic(err)
	}
	defer codec.Close()
	if _, _, err := codec.Encode(nil, eventAt(subject, 1), anna()); err != nil {
		panic(err)
	}
}

// A rotation by hand: a new generation, all keys under it, and the old one destroyed.
func ExampleRotation() {
	ctx, keys, kms := context.Background(), crypto.NewMemoryKeys(), crypto.NewMemoryKMS()
	exampleSeal(keys, kms, "ada")
	rotation, err := crypto.NewRotation(crypto.RotationConfig{Keys: keys, KMS: kms})
	if err != nil {
		panic(err)
	}
	generation, err := rotation.Begin(ctx)
	if err != nil {
		panic(err)
	}
	done, err := rotation.Rewrap(ctx)
	if err != nil {
		panic(err)
	}
	if err := rotation.Destroy(ctx, generation-1); err != nil {
		panic(err)
	}
	gone, err := rotation.Gone(ctx, []uint32{1})
	fmt.Println("generation", generation, "wraps", done.Live, "key; the one before is gone:", gone, err)
	// Output:
	// generation 2 wraps 1 key; the one before is gone: true <nil>
}

// A schedule does the same when it is due, in one of the processes that have one.
func ExampleSchedule() {
	ctx, keys, kms := context.Background(), crypto.NewMemoryKeys(), crypto.NewMemoryKMS()
	exampleSeal(keys, kms, "ada")
	now := time.Now()
	clock := func() time.Time { return now }
	rotation, err := crypto.NewRotation(crypto.RotationConfig{Keys: keys, KMS: kms})
	if err != nil {
		panic(err)
	}
	ledger, err := crypto.OpenLedger(ctx, &crypto.MemoryLedgerLog{}, "desk/1", clock)
	if err != nil {
		panic(err)
	}
	schedule, err := crypto.NewSchedule(crypto.ScheduleConfig{Rotation: rotation, Ledger: ledger, Now: clock})
	if err != nil {
		panic(err)
	}
	for range 2 {
		if err := schedule.Advance(ctx); err != nil {
			panic(err)
		}
		is := schedule.Status()
		fmt.Println("generation", is.Generation, "before it", is.Earlier)
		now = now.Add(31 * 24 * time.Hour) // of which the key store knows nothing here, so what was kept goes at once
	}
	// Output:
	// generation 1 before it []
	// generation 2 before it []
}

// The ledger tells of every erasure, and proves that no record of it was taken away.
func ExampleLedger() {
	ctx, keys := context.Background(), crypto.NewMemoryKeys()
	ledger, err := crypto.OpenLedger(ctx, &crypto.MemoryLedgerLog{}, "desk/1", nil)
	if err != nil {
		panic(err)
	}
	eraser := crypto.NewEraser(crypto.EraserConfig{Ledger: ledger, Keys: keys})
	request := crypto.ErasureRequest{Subject: crypto.RefOf(make([]byte, 32), "acme", "ada"), Key: "ticket-17", Reason: "gdpr-17", Requester: "desk-4"}
	for range 2 { // asked again, it is the same erasure
		if _, err := eraser.Request(ctx, request); err != nil {
			panic(err)
		}
	}
	if err := eraser.Advance(ctx); err != nil {
		panic(err)
	}
	for _, e := range ledger.Erasures() {
		fmt.Println(e.Reason, e.State)
	}
	_, records := ledger.Head()
	fmt.Println(records, "records")
	// Output:
	// gdpr-17 unrecoverable
	// 5 records
}
