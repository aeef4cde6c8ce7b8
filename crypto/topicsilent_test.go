package crypto_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// silentLog is a topic behind a network that carries nothing from a moment on, and says nothing of that.
type silentLog struct {
	*topicLog
	silent atomic.Bool
}

func (l *silentLog) End(ctx context.Context) ([]int64, error) {
	if l.silent.Load() {
		<-ctx.Done()
	}
	return l.topicLog.End(ctx)
}

func (l *silentLog) Follow(ctx context.Context, from []int64, record func(int32, int64, []byte, []byte), passed func(int32, int64)) error {
	return l.topicLog.Follow(ctx, from, func(p int32, at int64, key, value []byte) {
		if l.silent.Load() {
			<-ctx.Done()
		}
		record(p, at, key, value)
	}, passed)
}

// A process that hears nothing of the key topic any more does not notice at once. All the same it opens nothing once the grace period is over since it
// heard last.
func TestNothingOpensBehindASilentTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := newTopicLog(1)
		log := &silentLog{topicLog: topic}
		here, there := openTopicKeys(t, log, crypto.TopicKeysConfig{}), openTopicKeys(t, topic, crypto.TopicKeysConfig{})
		w := openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS = here, &codecKMS{} })
		place, sealed := sealedName(t, w, "p-1")
		pass(time.Minute)
		if _, err := w.Reveal(place, sealed, &personpb.Person{}); err != nil {
			t.Fatal(err)
		}
		log.silent.Store(true)
		if _, err := there.Destroy(t.Context(), w.Ref("p-1"), "erasure"); err != nil {
			t.Fatal(err)
		}
		pass(31 * time.Second)
		if r, err := w.Reveal(place, sealed, &personpb.Person{}); !errors.Is(err, crypto.ErrKeyUnavailable) {
			t.Errorf("what is sealed for an erased person gives %+v, %v", r, err)
		}
	})
}

// pass lets virtual time go on.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
