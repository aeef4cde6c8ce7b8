package projector

import (
	"slices"

	"github.com/seed-3eec0498/muster"
)

// definition is Definition under a name that leaves its method of the same name visible in what embeds it.
type definition = Definition

// View is a projection whose rows the toolkit keeps, in the [Store] of the process: rows of type V by key, named counters, secondary indexes.
// V is a protobuf message, [muster.Raw], or anything encoding/json can handle. Functions get [Rows]; queries go through the methods of the view
// over a [Reader]. It is made once at start and read-only afterwards.
type View[V any] struct {
	*definition
	value   muster.Value[V]
	shape   shape
	indexes []index[V] // in the order they were declared, which is their number
	merge   func(a, b V) V
}

// index is one secondary index.
type index[V any] struct {
	name string
	of   func(key string, row V) []string
}

// AnyView is a *[View] of any row type, as a [Store] takes it.
type AnyView interface {
	// Definition gives what the projection is.
	Definition() *Definition

	begin(b *storeBatch) rows
	again(r rows, b *storeBatch)
	indexNames() []string
	entriesOf(codec muster.Codec, key string, payload []byte, content string) ([]entry, error)
	merges() bool
	mergeRows(key string, opened []storedRow) (storedRow, error)
	open(codec muster.Codec, key string, s storedRow) ([]byte, string, error)
	disclosed(codec muster.Discloser, key string, s storedRow) ([]muster.SubjectRef, error)
}

// Limits of a view.
const (
	MaxRowKey     = 1024    // bytes of a row's key and of a counter's name, which are 1 byte or more of UTF-8
	MaxRowBytes   = 4 << 20 // bytes of an encoded row
	MaxIndexValue = 1024    // bytes of one value of an index
	MaxIndexes    = 64      // of a view
	MaxEntries    = 1000    // index values of one row, over all indexes
)

// NewView begins a view. Give it functions with [On] and [OnOthers].
func NewView[V any](name string, opts ...Option) *View[V] {
	v := &View[V]{definition: NewDefinition(name, opts...), shape: shapeOf[V]()}
	v.folds = true
	if err := v.value.Check(); err != nil {
		v.faultf("rows: %v", err)
	}
	return v
}

// Index declares a secondary index: fn gives the values under which a row is found, none for a row that the index does not have; empty values
// are left out. fn is pure. Entries are kept in the batch of the row, so that an index is never ahead of the rows or behind them.
// Keys and index values lie in the store as they are, also where a codec seals the rows. An index that is new, or gone, is built from
// the rows when the shard is claimed; one whose function gives other values than before needs a new name, or a new version of the view.
func Index[V any](v *View[V], name string, fn func(key string, row V) []string) {
	switch {
	case fn == nil:
		v.faultf("index %q has a nil function; give it one", name)
	case !projectionName.MatchString(name):
		v.faultf("index %q: a name has 1 to 100 letters, digits, dots, dashes or underscores and begins with a letter or digit", name)
	case slices.Contains(v.indexNames(), name):
		v.faultf("index %q stands there twice; remove one", name)
	case len(v.indexes) == MaxIndexes:
		v.faultf("index %q is one more than the %d a view can have; remove some", name, MaxIndexes)
	default:
		v.indexes = append(v.indexes, index[V]{name, fn})
	}
}

// Merge says what is read where several shards of the view have a row with the same key, as when each shard counts its part of something: fn
// gives one row made of two, in whatever order and grouping they come. It may change a and return it. Without it such rows are read one by one.
func Merge[V any](v *View[V], fn func(a, b V) V) {
	switch {
	case fn == nil:
		v.faultf("Merge has a nil function; give it one")
	case v.merge != nil:
		v.faultf("Merge stands there twice; remove one")
	default:
		v.merge = fn
	}
}

// Hand implements [Into].
func (v *View[V]) Hand(tx any) *Rows[V] {
	if b, ok := tx.(*storeBatch); ok {
		if r, ok := b.rows.(*Rows[V]); ok {
			return r
		}
	}
	return &Rows[V]{view: v, err: muster.Errorf(muster.Internal, "view %s: its functions were run on a target that is no Store; give the view to the Store it runs on", v)}
}

func (v *View[V]) begin(b *storeBatch) rows { return newRows(v, b) }

func (v *View[V]) again(r rows, b *storeBatch) { r.(*Rows[V]).again(b) }

func (v *View[V]) indexNames() []string {
	names := make([]string, len(v.indexes))
	for i := range v.indexes {
		names[i] = v.indexes[i].name
	}
	return names
}

// CheckTypes asks the codec about the type of the rows.
func (v *View[V]) CheckTypes(codec muster.Codec) error {
	return v.value.CheckType(codec, "view "+v.String())
}

func (v *View[V]) merges() bool { return v.merge != nil }

// place is what the codec is told about a row.
func (v *View[V]) place(key, content string) muster.Place {
	return muster.Place{Purpose: muster.PurposeRow, Type: v.String(), AggregateID: key, ContentType: content}
}
