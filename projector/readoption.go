package projector

import "github.com/seed-3eec0498/muster"

// ReadOption is a setting of one read of a [View].
type ReadOption func(*Query)

// Prefix reads the rows whose keys begin with p; of an index, the values.
func Prefix(p string) ReadOption { return func(q *Query) { q.Prefix = p } }

// OnlyKey watches one row.
func OnlyKey(key string) ReadOption { return func(q *Query) { q.Key = key } }

// Range reads the rows with keys from the first one up to, and without, the second; an empty one is no bound. Of an index, the values.
func Range(from, to string) ReadOption { return func(q *Query) { q.From, q.To = from, to } }

// Reverse reads backwards, from the last key on.
func Reverse() ReadOption { return func(q *Query) { q.Reverse = true } }

// Limit sets how many rows a page has at most, up to [MaxPageRows]. The default is [DefaultPageRows]. [View.All] reads pages of that size to the end.
func Limit(n int) ReadOption { return func(q *Query) { q.Limit = n } }

// PageToken goes on behind a page: it is the one the page gave, for the same query. Rows that came or went meanwhile change nothing about the others. All
// pages are of one version and of one generation of it: when a rebuild has taken over in between, the error is Aborted with reason [ReasonGeneration], and
// who reads begins again with the first page.
func PageToken(token string) ReadOption { return func(q *Query) { q.Token = token } }

// AtLeast waits until the view has applied these positions, such as those a call has answered, for as long as the context lasts.
func AtLeast(positions ...muster.Position) ReadOption {
	return func(q *Query) { q.AtLeast = append(q.AtLeast, positions...) }
}

// Stale takes rows of a copy, too, as of a standby, or of an instance that has lost the shard. How old they are the page says.
func Stale() ReadOption { return func(q *Query) { q.Stale = true } }

// AtVersion reads this version of the view, 0 for the one that serves. Without it the methods of a view read its own version, whose rows they can
// decode, whether it serves already or not; when it is out of use, FailedPrecondition says which one serves instead, see [Versions.Retired].
func AtVersion(version int) ReadOption { return func(q *Query) { q.Version = version } }

// The sizes of pages.
const (
	DefaultPageRows = 100
	MaxPageRows     = 1000
	maxPageBytes    = 8 << 20 // a page with more ends early, after at least one row
)
