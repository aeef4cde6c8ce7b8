package consumer_test

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// After an erasure and the ticks the cleaner has taken the wrapped keys out of the files of every replica: those of all entries, also of one that had been
// wrapped again, and of a re-wrap that came too late. A key that nobody erased stays.
func TestRealErasedKeysLeaveTheSegments(t *testing.T) {
	dir := t.TempDir()
	cluster := kafkatest.RealWith(t, kafkatest.Config{Brokers: 3, Dir: dir, Properties: map[string]string{"log.cleaner.backoff.ms": "100"}})
	config := kafka.Config{Brokers: cluster.Addresses()}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addresses()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := kafka.EnsureKeys(within(t), client, "", "people", true); err != nil {
		t.Fatal(err)
	}
	topic := kafka.KeyTopic("", "people")
	log, err := consumer.OpenKeyLog(within(t), config, topic)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	store, err := crypto.OpenTopicKeys(within(t), log, crypto.TopicKeysConfig{SegmentTime: 200 * time.Millisecond, Mend: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	put := func(subject byte) crypto.Entry {
		e := crypto.Entry{Subject: crypto.SubjectRef{subject}, ID: crypto.KeyID{subject}, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: make([]byte, 60)}
		_, _ = rand.Read(e.Wrapped) // it never fails
		if e, err = store.PutIfAbsent(within(t), e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	kept, gone := put(1), put(2)
	again := gone
	again.Generation, again.Wrapped = 2, make([]byte, 60)
	_, _ = rand.Read(again.Wrapped)
	if err := store.Replace(within(t), again); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]crypto.Entry{"one": kept, "another": gone, "a re-wrapped one": again} {
		if n := replicasWith(t, dir, e.Wrapped); n != 3 {
			t.Fatalf("the wrapped key of %s is in the files of %d replicas, want 3: this test would see nothing", name, n)
		}
	}
	var eager []kadm.AlterConfig
	for name, value := range map[string]string{"segment.ms": "100", "max.compaction.lag.ms": "100", "file.delete.delay.ms": "100"} {
		eager = append(eager, kadm.AlterConfig{Name: name, Value: &value})
	}
	if _, err := kadm.NewClient(client).AlterTopicConfigs(within(t), eager, topic); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Destroy(within(t), gone.Subject, "erasure"); err != nil {
		t.Fatal(err)
	}
	if err := store.Tick(within(t)); err != nil { // the next ticks come by themselves
		t.Fatal(err)
	}
	began, limit := time.Now(), time.NewTimer(2*time.Minute)
	defer limit.Stop()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for replicasWith(t, dir, gone.Wrapped)+replicasWith(t, dir, again.Wrapped) > 0 {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("after %v the wrapped keys are in the files of %d and %d replicas", time.Since(began), replicasWith(t, dir, gone.Wrapped), replicasWith(t, dir, again.Wrapped))
		}
	}
	t.Logf("gone from every replica after %v", time.Since(began))
	eventually(t, "the key that nobody erased is in the files of every replica", func() bool { // a look may miss it while the cleaner renames a file
		return replicasWith(t, dir, kept.Wrapped) == 3
	})
}

// replicasWith counts the nodes that have these bytes in any of their files.
func replicasWith(t *testing.T, dir string, wanted []byte) (count int) {
	t.Helper()
	nodes, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		found := false
		_ = filepath.WalkDir(filepath.Join(dir, node.Name()), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || found {
				return nil // a file may go meanwhile
			}
			if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, wanted) {
				found = true
			}
			return nil
		})
		if found {
			count++
		}
	}
	return count
}
