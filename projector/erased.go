package projector

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// SubjectErased says that a person's data is to be gone. It comes once to every shard of every projection, at any place between the events: those that
// come after it have nothing of the subject any more. It may come again, after a crash or a restart, so what is done about it bears that.
type SubjectErased struct {
	Erasure string            // id of the erasure
	Subject muster.SubjectRef // whose; who it is nobody can tell from this
}

// OnErased hands erasures to fn, as [On] hands events: what it writes through its T is committed together with the note that the shard has done it. fn
// removes what the projection has of the subject in places of its own, such as rows of an SQL table that hold the subject_ref, or copies that an
// effect made elsewhere. A view's rows are seen to before fn runs, see [ErasedRows].
//
// An error, or a panic, holds the shard up and fn is tried again: an erasure is not put aside. Without a fn, and outside of views, the shard just
// acknowledges, and what it has made of events that were readable stays.
func OnErased[T any](p Into[T], fn func(ctx context.Context, to T, e SubjectErased) error) {
	d := p.Definition()
	switch {
	case fn == nil:
		d.faultf("OnErased has a nil function; give it one")
	case d.erased != nil:
		d.faultf("OnErased stands there twice; remove one")
	default:
		d.erased = func(ctx context.Context, tx any, e SubjectErased) error { return fn(ctx, p.Hand(tx), e) }
	}
}

// ErasedRow says what becomes of a view's row that holds sealed data of an erased subject.
type ErasedRow uint8

const (
	// RedactErased leaves the row with the subject's fields absent, and its index entries as the index functions give them then. A row that was
	// sealed as a whole is deleted. The default.
	RedactErased ErasedRow = iota
	// DeleteErased deletes the row, whatever else it holds.
	DeleteErased
)

// ErasedRows declares what becomes of the rows of a view that hold data of an erased subject, sealed or still in clear: the codec tells which do. Every row of the shard is
// looked at, some microseconds each, while the shard waits. Counters, keys and index values of other rows are never sealed and not looked at.
func ErasedRows(what ErasedRow) Option { return func(d *Definition) { d.erasedRows = what } }

// eraser is what a target's transaction does about an erasure by itself.
type eraser interface {
	eraseSubject(codec muster.Codec, e SubjectErased, what ErasedRow) error
}

// subjectErased gives what an act of kind erase says.
func (a *act) subjectErased() (e SubjectErased, is bool) {
	b, err := hex.DecodeString(a.Subject)
	e.Erasure = a.Erasure
	return e, a.Kind == actErase && err == nil && copy(e.Subject[:], b) == len(e.Subject) && len(b) == len(e.Subject)
}

// erase does what an act of kind erase says, all in one batch.
func (w *worker) erase(a *act) error {
	e, is := a.subjectErased()
	if !is {
		return w.commitChange(&Change{Acts: a.number}) // Operator.Erase wrote none such
	}
	if w.holding == nil {
		return w.storeFault("it is not claimed", errors.New("released"))
	}
	if err := w.hears(e); err != nil {
		return err
	}
	letters, err := w.causesErased(e.Subject)
	if err != nil {
		return w.storeFault("an erasure cannot begin", err)
	}
	for i := range letters {
		letters[i].Cause = CauseErased
	}
	w.stage.reset()
	w.stage.began = w.r.config.Now()
	batch, checked, err := w.begin()
	if err != nil {
		return err
	}
	run := func(ctx context.Context, tx any, codec muster.Codec, _ *muster.Event) error {
		if own, is := tx.(eraser); is {
			if err := own.eraseSubject(codec, e, w.d.erasedRows); err != nil {
				return err
			}
		}
		if w.d.erased == nil {
			return nil
		}
		return w.d.erased(ctx, tx, e)
	}
	if err := w.call(batch, checked, run, &muster.Event{Meta: muster.Meta{ID: e.Erasure, Type: "SubjectErased"}}, ""); err != nil {
		batch.Rollback()
		return &faulty{ReasonErasing, fmt.Errorf("projection %s: erasure %s is not carried out: %w", w.shard, e.Erasure, err)}
	}
	return w.commit(batch, &Change{Acts: a.number, Put: letters})
}

// hears returns when nothing of an erased subject opens here any more: what did would be written again as it was.
func (w *worker) hears(e SubjectErased) error {
	if heard := w.r.config.Heard; heard != nil {
		if err := heard(w.ctx, e); err != nil {
			return &faulty{ReasonErasing, fmt.Errorf("projection %s: erasure %s cannot be carried out yet: %w", w.shard, e.Erasure, err)}
		}
	}
	if f, does := w.r.config.Codec.(muster.Forgetter); does {
		f.Forget(e.Subject)
	}
	return nil
}

func (b *storeBatch) eraseSubject(codec muster.Codec, e SubjectErased, what ErasedRow) error {
	attributor, does := codec.(muster.Attributor)
	if !does {
		return nil
	}
	var keys []string
	var refs []muster.SubjectRef
	err := b.scan("", func(key string, row storedRow) (bool, error) {
		refs = attributor.Subjects(refs[:0], row.payload)
		has := slices.Contains(refs, e.Subject)
		if !has { // a row that cannot be decoded does not hold an erasure up; Store.SubjectRows tells of it
			has, _ = discloses(codec, b.h.shard.view, key, row, e.Subject)
		}
		if has {
			keys = append(keys, key)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return b.rows.erase(keys, what == DeleteErased)
}

// erase deletes rows, or writes them as they read now.
func (r *Rows[V]) erase(keys []string, all bool) error {
	for _, key := range keys {
		k, err := r.find(key, true)
		if err != nil {
			return err
		}
		v, withheld, err := r.view.value.Reveal(r.b.codec(), r.view.place(key, k.content), k.payload)
		if err != nil {
			return r.undecoded(err)
		}
		switch {
		case all:
			err = r.Delete(key)
		case withheld.Denied || withheld.Access == muster.AccessDenied:
			// Written again without them, the fields would be gone for those who may read them.
			err = muster.Errorf(muster.PermissionDenied, "view %s: a row cannot be redacted without the right to the keys of everybody in it; grant it, or delete such rows", r.view)
		case withheld.Whole():
			err = r.Delete(key)
		default:
			err = r.Put(key, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Erase has every shard of a projection carry an erasure out, once, and does not wait for it: a shard that nobody holds does it when somebody does.
// It is given as often as is liked, and stands for ever: rows that come back later do it before anybody is shown them. [Operator.Erased] says which
// shards have.
func (o *Operator) Erase(ctx context.Context, projection string, e SubjectErased) error {
	at, err := o.find(Scope{Projection: projection})
	if err != nil {
		return err
	}
	key := eraseKey(at.name, e.Erasure)
	if entries, _ := o.config.Control.Entries(); entries[key].Number != 0 {
		return nil
	}
	value, err := json.Marshal(&act{
		Format: controlFormat, Projection: at.name, Kind: actErase, By: o.config.By, When: o.config.Now().UTC(),
		Erasure: e.Erasure, Subject: hex.EncodeToString(e.Subject[:]),
	})
	if err != nil {
		return err
	}
	return o.put(ctx, key, value)
}

// Erased gives the shards of a projection that have carried an erasure out, as far as their holders have said so.
func (o *Operator) Erased(projection, erasure string) ([]int32, error) {
	at, err := o.find(Scope{Projection: projection})
	if err != nil {
		return nil, err
	}
	entries, _ := o.config.Control.Entries()
	order, ordered := entries[eraseKey(at.name, erasure)]
	if !ordered {
		return nil, nil
	}
	done := map[int32]bool{}
	for _, s := range statuses(entries, at, o.config.Now()) {
		has, said := done[s.Shard]
		done[s.Shard] = s.Acts >= order.Number && (has || !said) // of several generations, all
	}
	var shards []int32
	for shard, is := range done {
		if is {
			shards = append(shards, shard)
		}
	}
	slices.Sort(shards)
	return shards, nil
}

func eraseKey(projection, erasure string) string {
	return eraseKeys + projection + "-" + erasure
}
