package kafka_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Each row damages one valid record of a journal; it must be told from a foreign one, in words that say what is wrong.
func TestMalformedEventIsRefusedByName(t *testing.T) {
	rows := map[string]struct {
		damage func(r *kgo.Record)
		says   string
	}{
		"newer format":        {func(r *kgo.Record) { header(r, "muster-format", []byte("2")) }, `muster-format "2"; this build reads 1`},
		"no id":               {func(r *kgo.Record) { header(r, "ce_id", nil) }, "ce_id is missing"},
		"control in id":       {func(r *kgo.Record) { header(r, "ce_id", []byte("\x00")) }, "control characters"},
		"no type":             {func(r *kgo.Record) { header(r, "ce_type", nil) }, "ce_type: type is missing"},
		"no subject":          {func(r *kgo.Record) { header(r, "ce_subject", nil) }, "ce_subject: aggregate id is missing"},
		"another group":       {func(r *kgo.Record) { header(r, "ce_source", []byte("orders")) }, `ce_source "orders"; this journal is group "accounts"'s`},
		"no time":             {func(r *kgo.Record) { header(r, "ce_time", nil) }, "ce_time"},
		"no revision":         {func(r *kgo.Record) { header(r, "ce_sequence", nil) }, "ce_sequence"},
		"revision zero":       {func(r *kgo.Record) { header(r, "ce_sequence", []byte("0")) }, "they begin with 1"},
		"revision is text":    {func(r *kgo.Record) { header(r, "ce_sequence", []byte("first")) }, `ce_sequence "first"`},
		"no index":            {func(r *kgo.Record) { header(r, "muster-index", nil) }, "muster-index"},
		"index at count":      {func(r *kgo.Record) { header(r, "muster-index", []byte("2")) }, "muster-count"},
		"count of zero":       {func(r *kgo.Record) { header(r, "muster-count", []byte("0")) }, "muster-count"},
		"count beyond all":    {func(r *kgo.Record) { header(r, "muster-count", []byte("4294967296")) }, "muster-count"},
		"no fingerprint":      {func(r *kgo.Record) { header(r, "muster-fingerprint", nil) }, "eight hex digits"},
		"short fingerprint":   {func(r *kgo.Record) { header(r, "muster-fingerprint", []byte("0")) }, "eight hex digits"},
		"signed fingerprint":  {func(r *kgo.Record) { header(r, "muster-fingerprint", []byte("+0c0ffee")) }, "eight hex digits"},
		"key of a later one":  {func(r *kgo.Record) { r.Key = []byte("acc-1/3") }, "key does not fit"},
		"key of another":      {func(r *kgo.Record) { r.Key = []byte("acc-2/18446744073709551615") }, "key does not fit"},
		"no key":              {func(r *kgo.Record) { r.Key = nil }, "key does not fit"},
		"in a wrong place":    {func(r *kgo.Record) { r.Partition = 3 }, "belongs into partition 9 of 12"},
		"escaped in the text": {func(r *kgo.Record) { header(r, "ce_time", []byte("\x1b[31m")) }, `"\x1b[31m"`},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			r := kafka.EncodeEvent(fullEvent(), "accounts.events")
			r.Offset = 88_213
			row.damage(r)
			_, err := kafka.DecodeEvent(r, accounts)
			if err == nil {
				t.Fatal("accepted")
			}
			if errors.Is(err, kafka.ErrForeign) || errors.Is(err, kafka.ErrTombstone) || muster.CodeOf(err) != muster.DataLoss {
				t.Errorf("%v: wrong kind", err)
			}
			if !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), "]@88213: ") {
				t.Errorf("%v\ndoes not say %q and where", err, row.says)
			}
		})
	}
}

func TestForeignRecordsAndTombstonesInTheJournalAreToldApart(t *testing.T) {
	foreign := &kgo.Record{Topic: "accounts.events", Partition: 2, Offset: 5, Key: []byte("k"), Value: []byte("hello")}
	if _, err := kafka.DecodeEvent(foreign, accounts); !errors.Is(err, kafka.ErrForeign) || !strings.Contains(err.Error(), "accounts.events[2]@5") {
		t.Errorf("foreign record: %v", err)
	}
	cloudEvent := kafka.EncodeEvent(fullEvent(), "accounts.events")
	header(cloudEvent, "muster-format", nil)
	if _, err := kafka.DecodeEvent(cloudEvent, accounts); !errors.Is(err, kafka.ErrForeign) {
		t.Errorf("somebody else's CloudEvent: %v", err)
	}
	tombstone := &kgo.Record{Topic: "accounts.events", Partition: 2, Offset: 6, Key: []byte("acc-1/3")}
	if _, err := kafka.DecodeEvent(tombstone, accounts); !errors.Is(err, kafka.ErrTombstone) || !strings.Contains(err.Error(), "accounts.events[2]@6") {
		t.Errorf("tombstone: %v", err)
	}
}

func TestOnlyTheLastEventCarriesTheAnswer(t *testing.T) {
	e := fullEvent()
	e.Index = 0
	r := kafka.EncodeEvent(e, "accounts.events")
	if text(r, "muster-reply") != "<none>" || text(r, "muster-fingerprint") != "<none>" {
		t.Error("the first of two events carries an answer")
	}
	header(r, "muster-reply", []byte("x")) // somebody added it
	got, err := kafka.DecodeEvent(r, accounts)
	if err != nil || got.Answer != nil || got.Fingerprint != 0 {
		t.Errorf("answer %q, fingerprint %x, error %v", got.Answer, got.Fingerprint, err)
	}
}

func TestLastEventMayBeWithoutAnswer(t *testing.T) {
	e := fullEvent()
	e.Answer = nil // it was over 64 KiB
	got, err := kafka.DecodeEvent(kafka.EncodeEvent(e, "accounts.events"), accounts)
	if err != nil || got.Answer != nil || got.Fingerprint != e.Fingerprint {
		t.Errorf("answer %v, fingerprint %x, error %v", got.Answer, got.Fingerprint, err)
	}
}

func TestKeepLatestJournalIsKeyedByAggregate(t *testing.T) {
	latest := muster.NewGroup("accounts", muster.Partitions(12), muster.Journal(muster.KeepLatest))
	r := kafka.EncodeEvent(fullEvent(), "accounts.events")
	if _, err := kafka.DecodeEvent(r, latest); err == nil {
		t.Error("a key with a revision was taken in a journal that keeps the latest only")
	}
	r = (*kafka.Slab)(nil).EventOf(latest, fullEvent(), "accounts.events")
	if string(r.Key) != "acc-1" {
		t.Errorf("key %q", r.Key)
	}
	if _, err := kafka.DecodeEvent(r, latest); err != nil {
		t.Error(err)
	}
	if r = (*kafka.Slab)(nil).EventOf(accounts, fullEvent(), "accounts.events"); string(r.Key) != string(kafka.EncodeEvent(fullEvent(), "").Key) {
		t.Errorf("key %q in a journal that keeps all", r.Key)
	}
}
