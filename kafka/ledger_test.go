package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

var (
	mail     = kafka.LedgerShard{Projection: "mail@2", Generation: 1, Number: 15}
	ledgerAt = "checkpoints.bank"
)

func ledgerEntries() map[string]kafka.LedgerRecord {
	acts := int64(88)
	return map[string]kafka.LedgerRecord{
		"checkpoint": {Key: "checkpoint/accounts.events/15", Checkpoint: &kafka.LedgerCheckpoint{
			Topic: "accounts.events", Partition: 15, TopicID: [16]byte{1, 15: 255}, Next: 1 << 60, LastEvent: "c1/0", LastAt: 1<<60 - 3, Time: at.UTC(),
		}},
		"acts": {Key: kafka.ActsKey, Acts: &acts},
		"letter": {Key: "letter/accounts.events[15]@7", Letter: &kafka.LedgerLetter{
			ID: "accounts.events[15]@7", Number: 3, Kind: "parked", Key: "accounts/größe", Reason: "handler", Cause: "no mail address", Attempts: 5, At: at.UTC(),
			Event: muster.Event{
				Meta: muster.Meta{
					ID: "c1/1", Type: "bank.Credited", Group: "accounts", AggregateID: "acc-1", Revision: 12, Time: at.UTC(), CorrelationID: "co", CausationID: "c1",
					ContentType: muster.ContentJSON, DataSchema: "urn:credited", TraceParent: "00-1-2-01", TraceState: "a=b",
					Headers: muster.Headers{{Key: "tenant", Value: []byte{0}}}, Topic: "accounts.events", Partition: 15, Offset: 7,
				},
				Payload: []byte(`{"amount":1}`), Index: 1, Count: 2, Answer: []byte("stored"), Fingerprint: 0xdeadbeef,
			},
		}},
		"letter of a bad record": {Key: "letter/x", Letter: &kafka.LedgerLetter{
			ID: "x", Number: 4, Kind: "skipped", Reason: "bad-record", Attempts: 1, At: at.UTC(),
			Event: muster.Event{Meta: muster.Meta{Topic: "accounts.events", Partition: 15, Offset: 9}},
		}},
		"removal": {Key: "letter/x", Removed: true},
	}
}

func TestLedgerRoundTrip(t *testing.T) {
	for name, entry := range ledgerEntries() {
		t.Run(name, func(t *testing.T) {
			r := kafka.EncodeLedger(mail, ledgerAt, entry)
			if r.Partition != 3 || !strings.HasPrefix(string(r.Key), "mail@2/1/15/") || r.Topic != ledgerAt {
				t.Errorf("%s[%d], key %q", r.Topic, r.Partition, r.Key)
			}
			got, err := kafka.DecodeLedger(r, mail)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(entry, got); diff != "" {
				t.Errorf("(-written +read)\n%s", diff)
			}
		})
	}
}

func TestLedgerGolden(t *testing.T) {
	for name, remark := range map[string]string{"checkpoint": "a checkpoint", "acts": "the acts that are done", "letter": "a parked event"} {
		golden(t, "ledger-"+name+".txt", remark+" of shard 15 of mail@2, generation 1", kafka.EncodeLedger(mail, ledgerAt, ledgerEntries()[name]))
	}
}

func TestLedgerOfAnotherShardIsForeign(t *testing.T) {
	r := kafka.EncodeLedger(mail, ledgerAt, ledgerEntries()["acts"])
	for _, other := range []kafka.LedgerShard{
		{Projection: "mail@2", Generation: 1, Number: 1},
		{Projection: "mail@2", Generation: 1, Number: -1},
		{Projection: "mail@2", Generation: 11, Number: 15},
		{Projection: "mail@", Generation: 1, Number: 15},
	} {
		if _, err := kafka.DecodeLedger(r, other); !errors.Is(err, kafka.ErrForeign) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestLedgerRefusesWhatItCannotRead(t *testing.T) {
	record := func(name string) *kgo.Record { return kafka.EncodeLedger(mail, ledgerAt, ledgerEntries()[name]) }
	newer := record("acts")
	header(newer, "muster-format", []byte("2"))
	value := func(name, text string) *kgo.Record {
		r := record(name)
		r.Value = []byte(text)
		return r
	}
	without := func(key string) *kgo.Record {
		r := record("letter")
		header(r, key, nil)
		return r
	}
	for name, r := range map[string]*kgo.Record{
		"of a newer format": newer, "no JSON": value("checkpoint", "{"), "negative": value("checkpoint", `{"format":1,"topic_id":"00000000000000000000000000000000","next":-1,"last_at":-1}`),
		"ahead of itself": value("checkpoint", `{"format":1,"topic_id":"00000000000000000000000000000000","next":1,"last_at":1}`),
		"without topic":   value("checkpoint", `{"format":1,"next":1,"last_at":0}`), "acts of a newer format": value("acts", `{"format":2}`),
		"a letter without number": without("muster-number"), "a letter without kind": without("muster-kind"),
		"a letter without index": without("muster-index"),
	} {
		if _, err := kafka.DecodeLedger(r, mail); muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), ledgerAt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The largest letter there can be fits into a topic with Kafka's default limit; the stored answer is what gives way.
func TestLargestLetterFits(t *testing.T) {
	l := *ledgerEntries()["letter"].Letter
	l.Event.Payload, l.Event.Answer = make([]byte, muster.MaxPayload), make([]byte, muster.MaxStoredAnswer)
	l.Event.Headers = muster.Headers{{Key: "h", Value: make([]byte, muster.MaxHeaderBytes-1)}}
	l.Cause, l.Key = strings.Repeat("c", 1<<20), strings.Repeat("k", 1<<20)
	r := kafka.EncodeLedger(mail, ledgerAt, kafka.LedgerRecord{Letter: &l})
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	if n > 1_048_588-512 {
		t.Errorf("%d bytes", n)
	}
	got, err := kafka.DecodeLedger(r, mail)
	if err != nil || len(got.Letter.Event.Payload) != muster.MaxPayload || len(got.Letter.Cause) != 4<<10 {
		t.Errorf("%v", err)
	}
}

func FuzzDecodeLedger(f *testing.F) {
	for _, entry := range ledgerEntries() {
		seed(f, kafka.EncodeLedger(mail, ledgerAt, entry))
	}
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		e, err := kafka.DecodeLedger(input(ledgerAt, key, value, null, flat, partition), mail)
		if err != nil {
			if muster.CodeOf(err) != muster.DataLoss && !errors.Is(err, kafka.ErrForeign) {
				t.Fatalf("an error without a name: %v", err)
			}
			return
		}
		if e.Letter != nil && (len(e.Letter.Key) > 8<<10 || len(e.Letter.Cause) > 4<<10) { // cut when it is written
			return
		}
		again, err := kafka.DecodeLedger(kafka.EncodeLedger(mail, ledgerAt, e), mail)
		if err != nil {
			t.Fatalf("its own record: %v", err)
		}
		if diff := cmp.Diff(e, again, cmp.Transformer("time", func(t time.Time) string { return t.Format(time.RFC3339Nano) })); diff != "" {
			t.Errorf("(-first +second)\n%s", diff)
		}
	})
}
