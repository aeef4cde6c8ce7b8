package viewhttp

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Options are the settings of a [Handler]. The zero value is of use.
type Options struct {
	// Local answers requests another instance has routed here (header Muster-Routed): from what is held in this process, without asking others, so
	// that no request goes round in circles. Nil: the reader answers them too, as it should when it is no [Router].
	Local projector.Reader
	// Host waits for positions, for /wait. Nil: the reader does, if it is a [muster.ViewHost]; else the read of a row that waits stands in.
	Host muster.ViewHost
	// LocalHost is Host for requests routed here. Nil: Local, if it is a [muster.ViewHost]; else Host.
	LocalHost muster.ViewHost
	// Authorize decides about each request before anything is read; r.PathValue("view") names the view. Its error is the answer: a
	// [muster.Error] as it is, any other one PERMISSION_DENIED without its text. Nil: everybody may read.
	Authorize func(r *http.Request) error
	// Message gives an empty message of the type a view's protobuf rows have, so that they are shown as JSON; nil for a view without.
	// Nil: protobuf rows are shown in base64.
	Message func(view string) proto.Message

	// Letters gives what was put aside in shards held in this process, with the events' payloads, to other instances that are asked for it. Nil: nobody
	// gets any.
	Letters func(ctx context.Context, q projector.LetterQuery) ([]projector.Letter, error)

	// Timeout bounds a request that gives none with its timeout parameter. Zero means 10 s.
	Timeout time.Duration
	// MaxTimeout bounds every request; a longer timeout is cut to it. Zero means 60 s.
	MaxTimeout time.Duration
	// PageBytes bounds the rows of one page, in bytes; what is over it comes with the next page. A single row is given whatever its size.
	// Zero means 8 MiB.
	PageBytes int
	// Reads bounds the requests under way at once, watches not counted; more are refused with 429. Zero means 256.
	Reads int
	// Watches bounds the open streams likewise. Zero means 1,000.
	Watches int
	// Heartbeat is the pause between the comments that keep a stream open. Zero means 15 s.
	Heartbeat time.Duration
	// WriteTimeout ends a stream whose reader takes nothing for so long; it comes back and gets the latest values. Zero means 30 s.
	WriteTimeout time.Duration
	// WatchAge ends a stream after that time, so that streams spread over new instances; readers come back by themselves. Zero means 30 min.
	WatchAge time.Duration
	// Logger gets the faults a caller is not told. Nil: they are dropped.
	Logger *slog.Logger
}

func orDefault[T comparable](given, otherwise T) T {
	var zero T
	if given == zero {
		return otherwise
	}
	return given
}

func (o Options) withDefaults() Options {
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	o.MaxTimeout = orDefault(o.MaxTimeout, time.Minute)
	o.PageBytes = orDefault(o.PageBytes, 8<<20)
	o.Reads = orDefault(o.Reads, 256)
	o.Watches = orDefault(o.Watches, 1000)
	o.Heartbeat = orDefault(o.Heartbeat, 15*time.Second)
	o.WriteTimeout = orDefault(o.WriteTimeout, 30*time.Second)
	o.WatchAge = orDefault(o.WatchAge, 30*time.Minute)
	o.Logger = orDefault(o.Logger, slog.New(slog.DiscardHandler))
	return o
}
