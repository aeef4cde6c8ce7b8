package service_test

import (
	"bytes"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// A base that was damaged since is written anew by whoever trims and has the states, before anything else is removed.
func TestTrimMendsTheBase(t *testing.T) {
	for name, spoil := range map[string]func(*stage, muster.StoredState){
		"torn": func(st *stage, s muster.StoredState) {
			r := kafka.EncodeSnapshot(st.group, 0, &s, "")
			r.Value[0] ^= 1
			st.writeSnapshot(r)
		},
		"lost": func(st *stage, s muster.StoredState) { st.writeSnapshot(&kgo.Record{Key: []byte(s.AggregateID)}) },
		"older": func(st *stage, s muster.StoredState) {
			s.Revision, s.Offset = 1, 0
			st.writeSnapshot(kafka.EncodeSnapshot(st.group, 0, &s, ""))
		},
		"forged": func(st *stage, s muster.StoredState) {
			s.Data = bytes.Replace(s.Data, []byte("1"), []byte("7"), 1)
			st.writeSnapshot(kafka.EncodeSnapshot(st.group, 0, &s, ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, _, s := trimmable(t)
			if _, err := s.Trim(st.within(), st.group, old()); err != nil {
				t.Fatal(err)
			}
			_, states := st.decodedSnapshots()
			spoil(st, states["acc-2"])
			want := st.balances(s)
			if _, err := s.Trim(st.within(), st.group, old()); err != nil {
				t.Fatal(err)
			}
			s.end()
			c := st.compacted("copy.")
			c.journalTo(-1, false)
			c.snapshots(nil)
			if got := st.balances(start(t, c.config(t.TempDir()), st.owner(nil))); !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// Nor where the state has all that was trimmed, although the base is not there: the store is kept, for what is missing was another's.
func TestTrimmedAndForeignGapBehind(t *testing.T) {
	st, _, s := trimmable(t)
	if _, err := s.Trim(st.within(), st.group, old()); err != nil {
		t.Fatal(err)
	}
	s.end()
	records, mark := st.committed(st.group.JournalTopic(""))
	for offset, r := range records {
		if m, _ := kafka.DecodeTrimMark(r, st.group); m != nil {
			mark = min(mark, offset)
		}
	}
	c := st.compacted("copy.")
	cfg := c.config(t.TempDir())
	cfg.Recovery.SnapshotEvery = -1
	c.journalTo(mark, true)
	start(t, cfg, st.owner(nil)).end()
	stranger := st.event("acc-1", "stranger", 40, "1")
	stranger.Topic = st.group.JournalTopic(c.prefix)
	c.put([]*kgo.Record{stranger})
	c.journalTo(-1, true)
	warm := openUnready(t, cfg, st.owner(nil))
	st.until("the partition stops", func() bool { return isStopped(warm, "fold") || isStopped(warm, "trimmed-without-base") })
	if n := st.counter("muster_rebuilds_total", nil); !isStopped(warm, "fold") || n != 0 {
		t.Errorf("%v, %v rebuilds; want reason fold and the store kept", warm.Status(), n)
	}
}
