package projector

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"

	"github.com/seed-3eec0498/muster"
)

// place is where a page has ended: behind this row, in the order of keys (of an index: values, then keys), then shards.
type pagePlace struct {
	key        string // of an index as in keyRange.entry, from the value on
	shard      int32
	generation int // that the page was of; below 0: not known
}

// ReasonGeneration is the reason of the error of who goes on behind a page of a generation that has been replaced since, see [PageToken].
const ReasonGeneration = "generation-changed"

// in tells whether rows of a generation go on behind the place. They are other rows than those of another one: some would be missing, others come
// twice, in an answer that looks whole.
func (p *pagePlace) in(view string, generation int) error {
	switch {
	case p.generation < 0 || p.generation == generation:
		return nil
	case p.generation > generation: // the switch has not come to this instance yet
		e := muster.Errorf(muster.Unavailable, "view %s: the page before was of generation %d, and generation %d is what this instance serves still; ask again", view, p.generation, generation)
		e.Reason, e.Retry = ReasonGeneration, true
		return e
	}
	e := muster.Errorf(muster.Aborted, "view %s: the page before was of generation %d, and a rebuild has put generation %d in its place since; begin again with the first page",
		view, p.generation, generation)
	e.Reason = ReasonGeneration
	return e
}

// A page token, in base64url without padding:
//
//	0          1                9               13                  17
//	+----------+----------------+---------------+-------------------+- - - - - -
//	| format 2 | sum u64 BE     | shard u32 BE  | generation i32 BE | key
//
// sum is over the query and the rest, so that a token goes with the query it was made for and no other. Format 1 had no generation; its tokens are
// refused as those of another query are.
const (
	pageFormat = 2
	pageHead   = 17
)

func (q *Query) sum(p pagePlace) uint64 {
	h := fnv.New64a()
	b := []byte{pageFormat, 0}
	if q.Reverse {
		b[1] = 1
	}
	for _, text := range []string{q.View, q.Index, q.Key, q.Prefix, q.From, q.To, p.key} {
		b = appendText(b, text)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(p.shard))
	b = binary.BigEndian.AppendUint32(b, uint32(p.generation))
	_, _ = h.Write(binary.AppendVarint(b, int64(q.Version)))
	return h.Sum64()
}

// token gives the page token for a place.
func (q *Query) token(p pagePlace) string {
	b := binary.BigEndian.AppendUint64([]byte{pageFormat}, q.sum(p))
	b = binary.BigEndian.AppendUint32(b, uint32(p.shard))
	b = binary.BigEndian.AppendUint32(b, uint32(p.generation))
	return base64.RawURLEncoding.EncodeToString(append(b, p.key...))
}

// TokenBehind gives the token of the page that begins behind a row of q's page: for whoever makes one page of those of several instances. q is the
// query as it was asked, with the version that answered; generation is that of the pages, see [Page].
func TokenBehind(q Query, generation int, row RawRow) string {
	return q.token(pagePlace{cmp.Or(row.Order, row.Key), row.Shard, max(generation, -1)})
}

// place reads the token of a query.
func (q *Query) place() (pagePlace, error) {
	bad := func() (pagePlace, error) {
		return pagePlace{}, muster.Errorf(muster.InvalidArgument, "view %s: this page token is not one of this query; use what the page before gave, unchanged and with the same options", q.View)
	}
	if len(q.Token) > 4*(2*MaxIndexValue+MaxRowKey) {
		return bad()
	}
	b, err := base64.RawURLEncoding.DecodeString(q.Token)
	if err != nil || len(b) < pageHead || b[0] != pageFormat {
		return bad()
	}
	p := pagePlace{key: string(b[pageHead:]), shard: int32(binary.BigEndian.Uint32(b[9:])), generation: int(int32(binary.BigEndian.Uint32(b[13:])))}
	if q.sum(p) != binary.BigEndian.Uint64(b[1:]) {
		return bad()
	}
	return p, nil
}
