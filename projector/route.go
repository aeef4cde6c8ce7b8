package projector

import (
	"slices"

	"google.golang.org/protobuf/proto"
)

// RouteBy says from the events of which aggregate the row with a key is made, so that a read of one row of a [Sharded] view is routed to the one
// instance that holds it. fn is pure, and right for every row: a row that was made elsewhere is not found by its key. Without it all instances
// are asked for a row.
func RouteBy(fn func(key string) (aggregateID string)) Option {
	return func(d *Definition) { d.routeBy = fn }
}

// ByKey is the function for [RouteBy] where the keys of the rows are the ids of the aggregates.
func ByKey(key string) string { return key }

// Route gives the aggregate a row is made from; false: it may be any.
func (d *Definition) Route(key string) (aggregateID string, known bool) {
	if d.routeBy == nil {
		return "", false
	}
	return d.routeBy(key), true
}

// MergeRaw makes one row of those that several shards have under one key, as the view's [Merge] says; false: it says nothing, and they stay.
func MergeRaw(v AnyView, rows []RawRow) (RawRow, bool, error) {
	if len(rows) == 0 || !v.merges() {
		return RawRow{}, false, nil
	}
	opened := make([]storedRow, len(rows))
	for i := range rows {
		opened[i] = storedRow{payload: slices.Clone(rows[i].Value), content: rows[i].ContentType}
	}
	one, err := v.mergeRows(rows[0].Key, opened)
	if err != nil {
		return RawRow{}, false, err
	}
	merged := rows[0]
	merged.Value, merged.ContentType = one.payload, one.content
	return merged, true, nil
}

// Merges tells whether rows of several shards with the same key become one, see [Merge].
func Merges(v AnyView) bool { return v.merges() }

// Message gives an empty message of the type of the rows, nil where they are no protobuf messages.
func (v *View[V]) Message() proto.Message {
	var none V
	m, is := any(none).(proto.Message)
	if !is || m == nil {
		return nil
	}
	return m.ProtoReflect().New().Interface()
}
