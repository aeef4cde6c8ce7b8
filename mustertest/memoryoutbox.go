package mustertest

import (
	"slices"

	"github.com/seed-3eec0498/muster/projector"
)

// Outbox lets effects and publishers run over a [MemoryTarget].
func (tx *MemoryTx) Outbox() *projector.Outbox { return tx.batch.outbox }

// Published gives what publishers have published from a shard, in order, as far as it is committed.
func (t *MemoryTarget) Published(shard projector.Shard) []projector.Publication {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return slices.Clone(t.store.shard(shard).published)
}
