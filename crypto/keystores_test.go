package crypto_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/mustertest"
)

func memoryKeysFixture(testing.TB) mustertest.KeyStoreFixture {
	return mustertest.KeyStoreFixture{Store: crypto.NewMemoryKeys()}
}

func fileKeysFixture(t testing.TB) mustertest.KeyStoreFixture {
	path := filepath.Join(t.TempDir(), "keys")
	store := openFileKeys(t, path)
	return mustertest.KeyStoreFixture{Store: store, Steps: 5, Restart: func(t testing.TB) crypto.KeyStore {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		store = openFileKeys(t, path)
		return store
	}}
}

func openFileKeys(t testing.TB, path string) *crypto.FileKeys {
	t.Helper()
	store, err := crypto.OpenFileKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// topicKeysFixture is a topic of two processes.
func topicKeysFixture(t testing.TB) mustertest.KeyStoreFixture {
	log := newTopicLog(2)
	store := openTopicKeys(t, log, crypto.TopicKeysConfig{})
	return mustertest.KeyStoreFixture{
		Steps: 20, Store: store, Other: openTopicKeys(t, log, crypto.TopicKeysConfig{Age: time.Nanosecond}),
		Restart: func(t testing.TB) crypto.KeyStore {
			store.Close()
			store = openTopicKeys(t, log, crypto.TopicKeysConfig{})
			return store
		},
		Cut:     func(testing.TB) { log.cut(2) },
		Compact: func(testing.TB) { log.compact() },
	}
}

func openTopicKeys(t testing.TB, log crypto.KeyLog, c crypto.TopicKeysConfig) *crypto.TopicKeys {
	t.Helper()
	store, err := crypto.OpenTopicKeys(t.Context(), log, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestTopicKeys(t *testing.T) { mustertest.KeyStore(t, topicKeysFixture) }

func TestMemoryKeysMachine(t *testing.T) { mustertest.KeyStoreMachine(t, memoryKeysFixture) }
func TestFileKeysMachine(t *testing.T)   { mustertest.KeyStoreMachine(t, fileKeysFixture) }
func TestTopicKeysMachine(t *testing.T)  { mustertest.KeyStoreMachine(t, topicKeysFixture) }

func TestMemoryKeys(t *testing.T) { mustertest.KeyStore(t, memoryKeysFixture) }
func TestFileKeys(t *testing.T)   { mustertest.KeyStore(t, fileKeysFixture) }

func TestMemoryKMS(t *testing.T) {
	mustertest.KMS(t, func(testing.TB) crypto.KMS { return crypto.NewMemoryKMS() })
}

func TestFileKMS(t *testing.T) {
	for name, root := range map[string][]byte{"plain": nil, "under a root": make([]byte, 32)} {
		t.Run(name, func(t *testing.T) {
			mustertest.KMS(t, func(t testing.TB) crypto.KMS {
				k, err := crypto.OpenFileKMS(filepath.Join(t.TempDir(), "kms"), root)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = k.Close() })
				return k
			})
		})
	}
}
