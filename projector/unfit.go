package projector

import (
	"errors"
	"fmt"
)

// Rebuild drops what is stored of the shard and makes it anew from the projection's start. Only for [OnUnfit], and only for views.
const Rebuild Outcome = Ignore + 1

// OnUnfit says what happens with a shard whose checkpoint is not in its journal any more: the journal was made again ([ReasonRecreated]), was cut,
// or an older copy of it came back ([ReasonAhead]). [Rebuild] is the default of views, whose rows are a fold of the journal and of nothing else: the rows
// are dropped and made anew, which log and metric tell, and queries of the shard wait meanwhile. [Stop] is the default of all others, and the only choice for
// them: what they did outside cannot be taken back, so an operator decides whether to restart or to rebuild.
func OnUnfit(o Outcome) Option {
	return func(d *Definition) { d.unfit = &o }
}

// Anew is a shard whose rows were given up because they did not fit the journal.
type Anew struct {
	Shard  Shard
	Reason string // ReasonAhead or ReasonRecreated; ReasonStore where [Config.OnUnfit] chose so
}

func (d *Definition) unfitFaults() []error {
	if d.unfit == nil || *d.unfit == Stop || *d.unfit == Rebuild && d.folds {
		return nil
	}
	if *d.unfit == Rebuild {
		return []error{fmt.Errorf("projection %s: OnUnfit(Rebuild) is for views, whose rows are made of the journal alone; use Stop, and restart or rebuild it by hand", d)}
	}
	return []error{fmt.Errorf("projection %s: OnUnfit with outcome %d; choose Stop, or Rebuild for a view", d, *d.unfit)}
}

// rebuilds tells whether a shard that does not fit is built anew without being asked.
func (d *Definition) rebuilds(reason string) bool {
	wanted := d.folds
	if d.unfit != nil {
		wanted = *d.unfit == Rebuild
	}
	return wanted && (reason == ReasonAhead || reason == ReasonRecreated)
}

// unfit asks what becomes of a shard whose checkpoint does not fit the journal, and drops what is stored where that is wanted. Nil: it stops.
func (w *worker) unfit(stop *stopped) error {
	if stop.reason != ReasonAhead && stop.reason != ReasonRecreated && stop.reason != ReasonStore {
		return nil
	}
	anew := w.d.rebuilds(stop.reason)
	if ask := w.r.config.OnUnfit; ask != nil {
		anew = ask(w.ctx, w.shard, stop.reason)
	}
	if !anew {
		return nil
	}
	w.r.config.Logger.ErrorContext(w.ctx, "what is stored does not fit the journal and is dropped; the shard is built anew from its start",
		"projection", w.shard.Projection, "shard", w.shard.Number, "reason", stop.reason, "error", stop.err)
	if told := w.r.config.Observe.Anew; told != nil { // in front of the drop: from here on nobody takes the rows for whole
		told(Anew{Shard: w.shard, Reason: stop.reason})
	}
	w.letGo()
	if err := w.r.config.Target.Drop(w.ctx, w.shard); err != nil {
		return w.storeFault("what is stored cannot be dropped", err)
	}
	return &faulty{stop.reason, errors.New("it is built anew")}
}
