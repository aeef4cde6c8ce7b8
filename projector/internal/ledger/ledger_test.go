package ledger_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// A letter comes back byte for byte, also with texts that are no UTF-8.
func FuzzLetter(f *testing.F) {
	f.Add("accounts.events[3]@41", "key\xff\x00", "cause\xfe", "id", []byte{0, 255}, int64(41), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, id, key, cause, text string, payload []byte, offset int64, revision uint64) {
		want := projector.Letter{
			ID: strings.ToValidUTF8(id, "?"), Kind: projector.Parked, Key: key, Reason: projector.ReasonHandler, Cause: cause, Attempts: 3, At: time.UnixMicro(offset % 1e18).UTC(),
			Event: muster.Event{Payload: payload, Index: 1, Count: 2, Meta: muster.Meta{
				ID: text, Type: text, Group: text, AggregateID: text, Revision: revision, Time: time.Unix(7, 0).UTC(), CorrelationID: text, CausationID: text,
				ContentType: text, DataSchema: text, TraceParent: text, TraceState: text, Topic: "accounts.events", Partition: 3, Offset: offset,
				Headers: muster.Headers{{Key: text, Value: payload}},
			}},
		}
		b, err := ledger.Encode(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v, want\n%+v", got, want)
		}
	})
}

// Whatever lies in the table, reading it ends with a letter or an error.
func FuzzDecodeLetter(f *testing.F) {
	f.Add([]byte(`{"format":1,"id":"a","key":"","event":{"payload":null}}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ledger.Decode(b)
		if err != nil {
			return
		}
		again, err := ledger.Encode(&l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Decode(again); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}

// A letter of another format is refused by number.
func TestLetterFormat(t *testing.T) {
	if _, err := ledger.Decode([]byte(`{"format":2,"id":"x"}`)); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("format 2 gives %v", err)
	}
}

// Statements that end a transaction are known in whatever dress.
func TestEnds(t *testing.T) {
	for sql, want := range map[string]bool{
		"commit": true, " COMMIT;": true, "-- x\n commit": true, "/* a */ /* b */ rollback": true, "end": true, "abort": true, "begin": true,
		"start transaction": true, "prepare transaction 'x'": true, "rollback and chain": true, "ROLLBACK WORK": true, "; commit": true,
		"rollback to savepoint a": false, "rollback work to a": false, "savepoint a": false, "release savepoint a": false, "prepare x as select 1": false,
		"insert into commit values (1)": false, "": false, "--": false, "/*": false, "select 1": false, "update endings set a = 1": false,
	} {
		if got := ledger.Ends(sql); got != want {
			t.Errorf("%q: %v, want %v", sql, got, want)
		}
	}
}

// States are told apart by class, with the exceptions named.
func TestByStore(t *testing.T) {
	for state, want := range map[string]bool{
		"08006": true, "28P01": true, "40001": true, "40P01": true, "53100": true, "57P01": true, "58030": true, "XX001": true, "25006": true, "42501": true, "55P03": true,
		"57014": false, "25P02": false, "23505": false, "22012": false, "42P01": false, "": false, "40": false,
	} {
		if got := ledger.ByStore(state); got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
	}
}

// Names go into statements as they are, so only plain ones are taken; a shown text fits every column.
func TestNamesAndTexts(t *testing.T) {
	for _, bad := range []string{"a b", "1a", "A", "x;drop", `x"y`, "", strings.Repeat("x", 41)} {
		if ledger.Check("", bad) == nil {
			t.Errorf("prefix %q is taken", bad)
		}
	}
	if err := ledger.Check("views", "muster_"); err != nil {
		t.Error(err)
	}
	if got := ledger.Shown("a\x00b\xff"); got != "a?b?" {
		t.Errorf("shown as %q", got)
	}
	if got := ledger.Shown(strings.Repeat("ü", 5000)); len(got) > 4099 || !strings.HasSuffix(got, "ü...") {
		t.Errorf("a long text has %d bytes and ends in %q", len(got), got[len(got)-6:])
	}
	for _, statement := range ledger.Name("views", "m_").Statements(0, ledger.Columns{Key: "k", Text: "t", Bytes: "b", Time: "m"}) {
		if strings.ContainsAny(statement, "{}") {
			t.Errorf("a name is missing in %s", statement)
		}
	}
	if n := len(ledger.Name("", "m_").Statements(ledger.Format, ledger.Columns{})); n != 0 {
		t.Errorf("%d statements for tables that are as they should be", n)
	}
}
