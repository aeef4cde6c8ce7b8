package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
	"github.com/seed-3eec0498/muster/projector"
)

// outward is the target of a projection whose results go elsewhere: effects, and publications to other topics. What it has to remember lies in
// the checkpoints topic of the service, and each commit is one Kafka transaction. It implements [projector.Target].
type outward struct {
	prefix  string
	ledger  *producer.Ledger
	reader  consumer.LedgerConfig
	targets []string // topics, with the prefix
}

// outwardConfig says what [openOutward] needs.
type outwardConfig struct {
	Kafka   kafka.Config
	Service string
	Create  bool                         // make missing topics
	Logger  *slog.Logger                 // never nil
	Ledger  func(*producer.LedgerConfig) // further settings; may be nil
}

// ledgerOf gives what the service's settings say of a projection's transactions.
func (s *Service) ledgerOf(d *projector.Definition) func(*producer.LedgerConfig) {
	return func(c *producer.LedgerConfig) {
		c.TransactionTimeout, c.Failpoint = s.cfg.TransactionTimeout, s.cfg.Failpoint
		c.OnHanging = func(h producer.Hanging) { s.metrics.hanging.WithLabelValues(d.Groups()[0].Name(), h.Outcome).Inc() }
	}
}

// openOutward checks or makes the topics that a projection needs, and opens its target. Close ends it.
func openOutward(ctx context.Context, cfg outwardConfig, d *projector.Definition) (*outward, error) {
	admin, err := kafka.OpenAdmin(ctx, cfg.Kafka)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	faults := []error{admin.EnsureLedger(ctx, cfg.Service, cfg.Create)}
	o := &outward{prefix: cfg.Kafka.Prefix, reader: consumer.LedgerConfig{Kafka: cfg.Kafka, Service: cfg.Service, Logger: cfg.Logger}}
	for _, t := range d.Targets() {
		_, err := admin.EnsureTarget(ctx, t.Name, t.Partitions, cfg.Create)
		faults = append(faults, err)
		o.targets = append(o.targets, o.prefix+t.Name)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("projection %s: %w", d, err)
	}
	settings := producer.LedgerConfig{Kafka: cfg.Kafka, Service: cfg.Service, Logger: cfg.Logger}
	if cfg.Ledger != nil {
		cfg.Ledger(&settings)
	}
	o.ledger, err = producer.OpenLedger(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("projection %s: %w", d, err)
	}
	o.reader.Hidden = func(ctx context.Context, partition int32) {
		if _, err := o.ledger.Mend(ctx, partition); err != nil {
			cfg.Logger.WarnContext(ctx, "cannot look for hanging transactions in the checkpoints topic", "partition", partition, "error", err)
		}
	}
	return o, nil
}

// Close ends the connections.
func (o *outward) Close() error {
	o.ledger.Close()
	return nil
}

func ledgerShard(s projector.Shard) kafka.LedgerShard {
	return kafka.LedgerShard{Projection: s.Projection, Generation: s.Generation, Number: s.Number}
}

// Claim implements [projector.Target].
func (o *outward) Claim(ctx context.Context, shard projector.Shard) (projector.Holding, error) {
	scribe, err := o.ledger.Claim(ctx, ledgerShard(shard), o.targets...)
	if err != nil {
		return nil, err
	}
	return &outwardHolding{target: o, shard: ledgerShard(shard), scribe: scribe}, nil
}

// Drop implements [projector.Target]. Who still holds the shard is fenced.
func (o *outward) Drop(ctx context.Context, shard projector.Shard) error {
	scribe, err := o.ledger.Claim(ctx, ledgerShard(shard))
	if err != nil {
		return err
	}
	defer scribe.Close()
	keys := map[string]bool{}
	err = consumer.ReadLedger(ctx, o.reader, ledgerShard(shard), func(e kafka.LedgerRecord) error {
		keys[e.Key] = !e.Removed
		return nil
	})
	if err != nil {
		return err
	}
	var gone []kafka.LedgerRecord
	for key, there := range keys {
		if there {
			gone = append(gone, kafka.LedgerRecord{Key: key, Removed: true})
		}
	}
	return scribe.Write(ctx, gone, nil)
}

// outwardHolding is one shard.
type outwardHolding struct {
	target *outward
	shard  kafka.LedgerShard
	scribe *producer.Scribe

	mu      sync.Mutex        // guards what follows; one goroutine works with a holding, the runner's release may be another's
	read    bool              // numbers is complete
	numbers map[string]uint64 // of the letters there are, by id
	last    uint64            // the highest number ever given
}

// Stored implements [projector.Holding].
func (h *outwardHolding) Stored(ctx context.Context) (projector.Stored, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var stored projector.Stored
	checkpoints := map[string]projector.Checkpoint{}
	letters := map[string]*kafka.LedgerLetter{}
	err := consumer.ReadLedger(ctx, h.target.reader, h.shard, func(e kafka.LedgerRecord) error {
		switch {
		case e.Removed:
			delete(checkpoints, e.Key)
			delete(letters, e.Key)
			if e.Key == kafka.ActsKey {
				stored.Acts = 0
			}
		case e.Checkpoint != nil:
			checkpoints[e.Key] = checkpointOf(e.Checkpoint)
		case e.Letter != nil:
			letters[e.Key] = e.Letter
		case e.Acts != nil:
			stored.Acts = *e.Acts
		}
		return nil
	})
	if muster.CodeOf(err) == muster.DataLoss { // damaged, or of a newer build: trying again does not help
		return projector.Stored{}, fmt.Errorf("%w: %w", projector.ErrUnfit, err)
	}
	if err != nil {
		return projector.Stored{}, err
	}
	for _, c := range checkpoints {
		stored.Checkpoints = append(stored.Checkpoints, c)
	}
	all := make([]*kafka.LedgerLetter, 0, len(letters))
	h.read, h.numbers, h.last = true, map[string]uint64{}, 0
	for _, l := range letters {
		all = append(all, l)
		h.numbers[l.ID] = l.Number
		h.last = max(h.last, l.Number)
	}
	slices.SortFunc(all, func(a, b *kafka.LedgerLetter) int { return int(int64(a.Number) - int64(b.Number)) })
	for _, l := range all {
		stored.Letters = append(stored.Letters, projector.Letter{
			ID: l.ID, Kind: projector.Kind(l.Kind), Key: l.Key, Reason: l.Reason, Cause: l.Cause, Attempts: l.Attempts, At: l.At, Event: l.Event,
		})
	}
	return stored, nil
}

func checkpointOf(c *kafka.LedgerCheckpoint) projector.Checkpoint {
	return projector.Checkpoint{
		Source: projector.Source{Topic: c.Topic, Partition: c.Partition}, TopicID: c.TopicID, Next: c.Next, LastEvent: c.LastEvent, LastAt: c.LastAt, Time: c.Time,
	}
}

// Begin implements [projector.Holding].
func (h *outwardHolding) Begin(context.Context) (projector.Batch, error) {
	return &outwardBatch{holding: h, outbox: projector.NewOutbox(h.fits)}, nil
}

// fits tells why a publication can never be written.
func (h *outwardHolding) fits(p *projector.Publication) error {
	out := h.outgoing(p)
	return h.scribe.Fits(&out)
}

func (h *outwardHolding) outgoing(p *projector.Publication) producer.Outgoing {
	return producer.Outgoing{Topic: h.target.prefix + p.Topic, Event: p.Event, Remove: p.Remove}
}

// Release implements [projector.Holding].
func (h *outwardHolding) Release() { h.scribe.Close() }

// outwardBatch is one transaction.
type outwardBatch struct {
	holding *outwardHolding
	outbox  *projector.Outbox
}

// Tx implements [projector.Batch].
func (b *outwardBatch) Tx() any { return b.outbox }

// Before implements [projector.Batch].
func (b *outwardBatch) Before(e *projector.Running) { b.outbox.Before(e) }

// Rollback implements [projector.Batch]. Nothing has left yet.
func (b *outwardBatch) Rollback() {}

// Commit implements [projector.Batch].
func (b *outwardBatch) Commit(ctx context.Context, change projector.Change) error {
	h := b.holding
	entries, err := h.entries(ctx, change)
	if err != nil {
		return err
	}
	published := b.outbox.Publications()
	out := make([]producer.Outgoing, 0, len(published))
	for i := range published {
		out = append(out, h.outgoing(&published[i]))
	}
	err = h.scribe.Write(ctx, entries, out)
	if errors.Is(err, muster.ErrFenced) {
		return fmt.Errorf("%w: %w", projector.ErrFenced, err)
	}
	return err
}

// entries gives the records for a change. Where the commit fails, the holding is of no use any more, and so what it counts does not matter.
func (h *outwardHolding) entries(ctx context.Context, change projector.Change) ([]kafka.LedgerRecord, error) {
	h.mu.Lock()
	read := h.read
	h.mu.Unlock()
	if len(change.Put) > 0 && !read {
		if _, err := h.Stored(ctx); err != nil { // letters are numbered behind those that are there
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	entries := make([]kafka.LedgerRecord, 0, len(change.Checkpoints)+len(change.Put)+len(change.Remove)+1)
	for _, id := range change.Remove {
		entries = append(entries, kafka.LedgerRecord{Key: kafka.LetterKey(id), Removed: true})
		delete(h.numbers, id)
	}
	for i := range change.Put {
		l := &change.Put[i]
		number, known := h.numbers[l.ID]
		if !known {
			h.last++
			number = h.last
			h.numbers[l.ID] = number
		}
		entries = append(entries, kafka.LedgerRecord{Letter: &kafka.LedgerLetter{
			ID: l.ID, Number: number, Kind: string(l.Kind), Key: l.Key, Reason: l.Reason, Cause: l.Cause, Attempts: l.Attempts, At: l.At, Event: l.Event,
		}})
	}
	for _, c := range change.Checkpoints {
		entries = append(entries, kafka.LedgerRecord{Checkpoint: &kafka.LedgerCheckpoint{
			Topic: c.Source.Topic, Partition: c.Source.Partition, TopicID: c.TopicID, Next: c.Next, LastEvent: c.LastEvent, LastAt: c.LastAt, Time: c.Time,
		}})
	}
	if change.Acts != 0 {
		entries = append(entries, kafka.LedgerRecord{Acts: &change.Acts})
	}
	return entries, nil
}
