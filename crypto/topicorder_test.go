package crypto_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// Another process's candidate comes between the look and the append of this one: the earlier one holds, for both, and also when it was wrapped again later
// and compaction has dropped its first record.
func TestTopicFirstCandidateHolds(t *testing.T) {
	log := newTopicLog(1)
	here, there := openTopicKeys(t, log, crypto.TopicKeysConfig{}), openTopicKeys(t, log, crypto.TopicKeysConfig{})
	subject := crypto.SubjectRef{7}
	var first crypto.Entry
	log.before(func(topicRecord) (err error) {
		first, err = there.PutIfAbsent(t.Context(), topicEntry(subject, 2))
		return err
	})
	if got, err := here.PutIfAbsent(t.Context(), topicEntry(subject, 1)); err != nil || got.ID != first.ID {
		t.Fatalf("the later candidate is told that %x holds, %v; want %x", got.ID, err, first.ID)
	}
	first.Generation = 2
	if err := here.Replace(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	log.compact()
	for name, view := range map[string]crypto.KeyStore{"here": here, "there": there, "later": openTopicKeys(t, log, crypto.TopicKeysConfig{})} {
		if got, err := view.Active(t.Context(), subject); err != nil || got.ID != first.ID || got.Born != first.Born {
			t.Errorf("%s: %x born at %d holds, %v; want %x born at %d", name, got.ID, got.Born, err, first.ID, first.Born)
		}
	}
}

// Two processes make a key whose id is no random one, as that of a generation is: the first one's bytes hold, for both, for whoever comes later, and also
// when compaction drops all but the last record. Else what was wrapped under the first would be lost.
func TestTopicFirstBytesHold(t *testing.T) {
	log := newTopicLog(1)
	here, there := openTopicKeys(t, log, crypto.TopicKeysConfig{}), openTopicKeys(t, log, crypto.TopicKeysConfig{})
	first, second := topicEntry(crypto.SubjectRef{7}, 1), topicEntry(crypto.SubjectRef{7}, 1)
	second.Wrapped = bytes.Repeat([]byte("other"), 10)
	log.before(func(topicRecord) error {
		got, err := there.PutIfAbsent(t.Context(), first)
		if err == nil && !bytes.Equal(got.Wrapped, first.Wrapped) {
			t.Errorf("the first one is told that %q holds", got.Wrapped)
		}
		return err
	})
	if got, err := here.PutIfAbsent(t.Context(), second); err != nil || !bytes.Equal(got.Wrapped, first.Wrapped) {
		t.Errorf("the second one is told that %q holds, %v", got.Wrapped, err)
	}
	views := map[string]crypto.KeyStore{"here": here, "there": there, "later": openTopicKeys(t, log, crypto.TopicKeysConfig{})}
	log.compact()
	views["after the compaction"] = openTopicKeys(t, log, crypto.TopicKeysConfig{})
	for name, view := range views {
		if got, err := view.Lookup(t.Context(), first.Subject, first.ID); err != nil || !bytes.Equal(got.Wrapped, first.Wrapped) {
			t.Errorf("%s: %q holds, %v", name, got.Wrapped, err)
		}
	}
}

// lateLog gives nothing to read until its end was asked for twice.
type lateLog struct {
	*topicLog
	asked atomic.Int32
	open  chan struct{}
}

func (l *lateLog) End(ctx context.Context) ([]int64, error) {
	ends, err := l.topicLog.End(ctx)
	if l.asked.Add(1) == 2 {
		close(l.open)
	}
	return ends, err
}

func (l *lateLog) Follow(ctx context.Context, from []int64, record func(int32, int64, []byte, []byte), next func(int32, int64)) error {
	select {
	case <-l.open:
		return l.topicLog.Follow(ctx, from, record, next)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A process whose copy is recent enough for other reads, but lacks a key, does not say that there is none before it has read to the end.
func TestTopicMissingIsSaidAtTheEnd(t *testing.T) {
	for name, ask := range map[string]func(store crypto.KeyStore, e crypto.Entry) (crypto.Entry, error){
		"Active": func(store crypto.KeyStore, e crypto.Entry) (crypto.Entry, error) {
			return store.Active(t.Context(), e.Subject)
		},
		"Lookup": func(store crypto.KeyStore, e crypto.Entry) (crypto.Entry, error) {
			return store.Lookup(t.Context(), e.Subject, e.ID)
		},
	} {
		log := newTopicLog(1)
		here := openTopicKeys(t, &lateLog{topicLog: log, open: make(chan struct{})}, crypto.TopicKeysConfig{Age: time.Hour})
		held, err := openTopicKeys(t, log, crypto.TopicKeysConfig{}).PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{7}, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(here, held); err != nil || got.ID != held.ID {
			t.Errorf("%s gives %+v, %v", name, got, err)
		}
	}
}
