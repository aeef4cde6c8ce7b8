package viewhttp

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// merging makes one page of those of several instances, each of which is in order: by key, or what an index has it ordered by, and then shard.
type merging struct {
	q      *projector.Query
	layout *Layout
	pages  []projector.Page
}

// order gives what a row is ordered by.
func order(r *projector.RawRow) string { return cmp.Or(r.Order, r.Key) }

// compare gives the order of rows in the page. Rows that become one are equal.
func (m *merging) compare(a, b projector.RawRow) int {
	c := strings.Compare(order(&a), order(&b))
	if m.layout.Merge == nil {
		c = cmp.Or(c, cmp.Compare(a.Shard, b.Shard))
	}
	if m.q.Reverse {
		return -c
	}
	return c
}

func (m *merging) page() (projector.Page, error) {
	if len(m.pages) == 1 {
		return m.pages[0], nil
	}
	out := projector.Page{View: m.pages[0].View, Generation: m.pages[0].Generation}
	var end *projector.RawRow // up to here every page is complete
	for i := range m.pages {
		p := &m.pages[i]
		out.Rows = append(out.Rows, p.Rows...)
		out.At = append(out.At, p.At...)
		out.Stale = out.Stale || p.Stale
		if n := p.Counter; n > 0 && out.Counter > math.MaxInt64-n || n < 0 && out.Counter < math.MinInt64-n {
			return out, muster.Errorf(muster.OutOfRange, "counter %s of view %s leaves the range of 64 bits", m.q.Counter, out.View)
		}
		out.Counter += p.Counter
		if p.View != out.View {
			return out, away(ReasonMoved, "view %s: the instances answer for %s and for %s; ask again", m.q.View, out.View, p.View)
		}
		if err := oneGeneration(&out, p); err != nil {
			return out, err
		}
		if p.Token == "" {
			continue
		}
		if len(p.Rows) == 0 {
			return out, muster.Errorf(muster.Internal, "view %s: an instance gave an empty page that is not the last one", out.View)
		}
		if last := &p.Rows[len(p.Rows)-1]; end == nil || m.compare(*last, *end) < 0 {
			end = last
		}
	}
	slices.SortStableFunc(out.Rows, m.compare)
	more := end != nil
	if more {
		limit := *end
		out.Rows = out.Rows[:beyond(out.Rows, func(r projector.RawRow) bool { return m.compare(r, limit) > 0 })]
	}
	if m.layout.Merge != nil && m.q.Counter == "" {
		if err := m.melt(&out); err != nil {
			return out, err
		}
	}
	if most := cmp.Or(m.q.Limit, projector.DefaultPageRows); len(out.Rows) > most && (m.q.Key == "" || m.q.Index != "") {
		out.Rows, more = out.Rows[:most], true
	}
	if more {
		out.Token = projector.TokenBehind(*m.q, out.Generation, out.Rows[len(out.Rows)-1])
	}
	return out, nil
}

// beyond gives the index of the first row for which is says so.
func beyond(rows []projector.RawRow, is func(projector.RawRow) bool) int {
	if at := slices.IndexFunc(rows, is); at >= 0 {
		return at
	}
	return len(rows)
}

// melt makes one row of those with the same key. What goes on behind it is behind the last of them.
func (m *merging) melt(p *projector.Page) error {
	var out []projector.RawRow
	for start := 0; start < len(p.Rows); {
		end := start + 1
		for end < len(p.Rows) && m.compare(p.Rows[start], p.Rows[end]) == 0 {
			end++
		}
		row := p.Rows[start]
		if end-start > 1 && m.q.Index == "" { // rows of an index are read whole afterwards
			var err error
			if row, err = m.layout.Merge(p.Rows[start:end]); err != nil {
				return err
			}
			row.Key, row.Order, row.Shard = p.Rows[start].Key, p.Rows[start].Order, p.Rows[start].Shard
		}
		out = append(out, row)
		start = end
	}
	p.Rows = out
	return nil
}

// oneGeneration tells of two answers that are to be one whether they are from the same generation. While a rebuild takes over, the instances follow
// one after the other, and a page of both would be neither what was before nor what is now.
func oneGeneration(a, b *projector.Page) error {
	if a.Generation == b.Generation {
		return nil
	}
	return away(ReasonMoved, "view %s: the instances answer from the generations %d and %d, as while a rebuild takes over; ask again", a.View, a.Generation, b.Generation)
}
