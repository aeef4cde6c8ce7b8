package projector

import "fmt"

// restore takes over what the target keeps. A source without a checkpoint starts where the projection does, and that is stored at once: its start
// counts once.
func (w *worker) restore(stored Stored) error {
	w.acts, w.skip, w.carry, w.taken = stored.Acts, nil, nil, nil
	w.stage.reset()
	for i := range w.sources {
		s := &w.sources[i]
		s.started, s.cp, s.next = false, Checkpoint{}, 0
		for _, cp := range stored.Checkpoints {
			if cp.Source == s.Source {
				s.started, s.cp, s.next = true, cp, cp.Next
			}
		}
	}
	w.held.progress.restore(w.sources, stored)
	var fresh []Checkpoint
	for i := range w.sources {
		s := &w.sources[i]
		if s.started {
			continue
		}
		cp, err := w.start(s)
		if err != nil {
			return err
		}
		fresh = append(fresh, cp)
	}
	if len(fresh) == 0 {
		return nil
	}
	change := Change{Checkpoints: fresh}
	if len(fresh) == len(w.sources) && w.acts == 0 {
		latest, err := w.ignoreOrders() // what was ordered before there was anything is of no concern
		if err != nil {
			return err
		}
		change.Acts = latest
	}
	return w.commitChange(&change)
}

// ignoreOrders gives the number of the last act. Of erased subjects there is nothing to remove here, and nothing comes: keys that this process had in
// hand when they were destroyed are not used for what is read from now on.
func (w *worker) ignoreOrders() (latest int64, err error) {
	o := w.r.orders.Load()
	for i := range o.acts {
		if e, is := o.acts[i].subjectErased(); is {
			if err := w.hears(e); err != nil {
				return 0, err
			}
		}
	}
	return o.latest(), nil
}

// start finds where a source begins.
func (w *worker) start(s *source) (Checkpoint, error) {
	reading := w.d.start
	reading.Group = s.group
	look, err := w.from.Look(w.ctx, s.Source)
	if err != nil {
		return Checkpoint{}, w.journalFault("journal "+s.String()+" cannot be looked at", err)
	}
	offset, err := w.from.Start(w.ctx, reading, s.Source)
	if err != nil {
		return Checkpoint{}, w.journalFault("the start in journal "+s.String()+" cannot be found", err)
	}
	return Checkpoint{Source: s.Source, TopicID: look.TopicID, Next: offset, LastAt: -1}, nil
}

// places gives where the sources are read from, and checks that the journals are those the checkpoints belong to. The last event applied is read
// again, as proof.
func (w *worker) places() (map[Source]int64, error) {
	from := make(map[Source]int64, len(w.sources))
	for i := range w.sources {
		s := &w.sources[i]
		look, err := w.from.Look(w.ctx, s.Source)
		if err != nil {
			return nil, w.journalFault("journal "+s.String()+" cannot be looked at", err)
		}
		at := s.cp.Position()
		switch {
		case s.cp.TopicID != look.TopicID && s.cp.TopicID != [16]byte{}:
			return nil, &stopped{reason: ReasonRecreated, at: at, err: fmt.Errorf(
				"projection %s: journal %s was made again since its checkpoint was stored; restart it from the start, or rebuild it", w.shard, s.Topic)}
		case s.cp.Next > look.High || s.cp.Next < look.Low:
			return nil, w.ahead(s, look)
		}
		from[s.Source], s.next, s.open, s.proof = s.cp.Next, s.cp.Next, false, false
		if s.cp.LastAt >= look.Low && s.cp.LastAt >= 0 && s.cp.LastAt < s.cp.Next && s.cp.LastEvent != "" {
			from[s.Source], s.proof = s.cp.LastAt, true
		}
		s.ahead.begins(s.cp.Next)
		if w.accepts {
			s.ahead.accepted = look.High
		}
		w.held.progress.sees(i, s.cp.Next, look.High)
	}
	w.accepts = false
	return from, nil
}

func (w *worker) ahead(s *source, look Look) error {
	return &stopped{reason: ReasonAhead, at: s.cp.Position(), err: fmt.Errorf(
		"projection %s: the checkpoint of journal %s is at offset %d, the journal has %d to %d: it was cut, or an older copy of it came back; restart the projection from another position, or rebuild it",
		w.shard, s.Source, s.cp.Next, look.Low, look.High)}
}

// proven compares an item with the last event applied. An item below the checkpoint is nothing to apply.
func (w *worker) proven(s *source, it *Item) (applied bool, err error) {
	at := it.Event.Offset
	if s.proof && at >= s.cp.LastAt {
		s.proof = false
		if at == s.cp.LastAt && it.Event.ID != s.cp.LastEvent {
			return false, &stopped{reason: ReasonRecreated, at: it.Event.Position(), err: fmt.Errorf(
				"projection %s: journal %s has another event at offset %d than the one that was applied: it was cut and written again; rebuild the projection", w.shard, s.Source, at)}
		}
	}
	return at < s.cp.Next, nil
}

// locate gives the source of an item.
func (w *worker) locate(s Source) *source {
	if at := &w.sources[w.last]; at.Partition == s.Partition && at.Topic == s.Topic {
		return at
	}
	i, is := w.index[s]
	if !is {
		return nil
	}
	w.last = i
	return &w.sources[i]
}
