package projector

import (
	"context"

	"github.com/seed-3eec0498/muster"
)

// letterAsk is a question for a worker, which alone uses its holding.
type letterAsk struct {
	query  LetterQuery
	answer chan letterAnswer // has room for one
}

type letterAnswer struct {
	letters []Letter
	err     error
}

// Letters gives what was put aside in shards held here, shard by shard, in the order it was. A [*NotHeldError] where one of the shards named is
// elsewhere; Unavailable where a target cannot be reached now.
func (r *Runner) Letters(ctx context.Context, q LetterQuery) ([]Letter, error) {
	numbers := q.Shards
	if len(numbers) == 0 {
		numbers = r.numbers()
	}
	var found []Letter
	for _, n := range numbers {
		r.mu.Lock()
		h := r.held[n]
		r.mu.Unlock()
		if h == nil {
			return nil, &NotHeldError{r.d.String(), n}
		}
		one := q
		if one.Limit = q.limit() - len(found); one.Limit == 0 {
			break
		}
		some, err := h.letters(ctx, one)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

func (h *held) letters(ctx context.Context, q LetterQuery) ([]Letter, error) {
	ask := letterAsk{query: q, answer: make(chan letterAnswer, 1)}
	h.mu.Lock()
	w := h.worker
	h.mu.Unlock()
	select {
	case w.asks <- ask:
	case <-ctx.Done():
		return nil, muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s: too many ask for its letters", h.shard)
	}
	w.intake.wake()
	select {
	case a := <-ask.answer:
		return a.letters, a.err
	case <-w.ended:
		return nil, &NotHeldError{h.shard.Projection, h.shard.Number}
	case <-ctx.Done():
		return nil, muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s: its letters cannot be read now, it is %s", h.shard, h.progress.status(h.runner.config.Now()).State)
	}
}

// answer reads letters for those who asked.
func (w *worker) answer() error {
	for {
		select {
		case ask := <-w.asks:
			stored, err := w.holding.Stored(w.ctx)
			if err != nil {
				err = w.storeFault("its letters cannot be read", err)
				ask.answer <- letterAnswer{err: muster.Errorf(muster.Unavailable, "%v", err)}
				return err
			}
			var found []Letter
			for i := range stored.Letters {
				if l := &stored.Letters[i]; ask.query.wants(l) && len(found) < ask.query.limit() {
					found = append(found, *l)
				}
			}
			ask.answer <- letterAnswer{letters: found}
		default:
			return nil
		}
	}
}
