package viewhttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-3eec0498/muster"
)

// The reasons this package gives.
const (
	ReasonNoRow           = "no-row"           // NOT_FOUND: the view has no row with that key
	ReasonNotReached      = "not-reached"      // DEADLINE_EXCEEDED: the view did not get to min-position in time
	ReasonTooManyReads    = "too-many-reads"   // RESOURCE_EXHAUSTED: Options.Reads are under way
	ReasonTooManyWatchers = "too-many-watches" // RESOURCE_EXHAUSTED: Options.Watchers are open
	ReasonBadRequest      = "bad-request"      // INVALID_ARGUMENT: a parameter is wrong
	ReasonMoved           = "moved"            // UNAVAILABLE: shards changed their instance too often while the request was routed
	ReasonNoAddress       = "no-address"       // UNAVAILABLE: the instance that holds a shard has no query service, or none holds it
	ReasonUnreachable     = "unreachable"      // UNAVAILABLE: the query service does not answer
)

// statuses are the HTTP statuses of the codes, as google.rpc.Code has them.
var statuses = map[muster.Code]int{
	muster.OK: http.StatusOK, muster.Cancelled: 499, muster.Unknown: http.StatusInternalServerError, muster.InvalidArgument: http.StatusBadRequest,
	muster.DeadlineExceeded: http.StatusGatewayTimeout, muster.NotFound: http.StatusNotFound, muster.AlreadyExists: http.StatusConflict,
	muster.PermissionDenied: http.StatusForbidden, muster.ResourceExhausted: http.StatusTooManyRequests, muster.FailedPrecondition: http.StatusBadRequest,
	muster.Aborted: http.StatusConflict, muster.OutOfRange: http.StatusBadRequest, muster.Unimplemented: http.StatusNotImplemented,
	muster.Internal: http.StatusInternalServerError, muster.Unavailable: http.StatusServiceUnavailable, muster.DataLoss: http.StatusInternalServerError,
	muster.Unauthenticated: http.StatusUnauthorized,
}

// statusOf is total.
func statusOf(code muster.Code) int {
	if status, known := statuses[code]; known {
		return status
	}
	return http.StatusInternalServerError
}

// codeOf gives the code of an answer that names none, as a proxy makes it.
func codeOf(status int) muster.Code {
	switch status {
	case http.StatusBadRequest, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return muster.InvalidArgument
	case http.StatusUnauthorized:
		return muster.Unauthenticated
	case http.StatusForbidden:
		return muster.PermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return muster.Unimplemented // ours says in its body what is not there
	case http.StatusTooManyRequests:
		return muster.ResourceExhausted
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return muster.Unavailable
	default:
		return muster.Unknown
	}
}

// fault is an error as it travels.
type fault struct {
	Code    string `json:"code"` // gRPC's name
	Message string `json:"message"`
	Reason  string `json:"reason,omitempty"`
	Retry   bool   `json:"retry,omitempty"`
}

// faultOf gives what a caller may know of an error: the text of muster's errors, and of others nothing.
func faultOf(err error) (fault, muster.Code) {
	code := muster.CodeOf(err)
	f := fault{Code: code.String(), Reason: muster.ReasonOf(err)}
	e, is := errors.AsType[*muster.Error](err)
	switch {
	case is && e != nil:
		f.Message, f.Retry = e.Message, e.Retry
	case code == muster.DeadlineExceeded:
		f.Message = "the time for the request is over; give it more with timeout"
	case code == muster.Cancelled:
		f.Message = "the request was cancelled"
	default:
		f.Code, f.Message = muster.Internal.String(), "the view cannot be read; the log of the service says why"
		code = muster.Internal
	}
	f.Retry = f.Retry || errors.Is(err, muster.ErrNotHeld)
	return f, code
}

// errorOf gives the error of an answer that is none of rows.
func errorOf(status int, body []byte) *muster.Error {
	var f fault
	if err := json.Unmarshal(body, &f); err == nil {
		for code := muster.Cancelled; code.Valid(); code++ {
			if code.String() == f.Code {
				return &muster.Error{Code: code, Message: f.Message, Reason: f.Reason, Retry: f.Retry, Remote: true}
			}
		}
	}
	code := codeOf(status)
	return &muster.Error{
		Code: code, Remote: true, Retry: code == muster.Unavailable, Reason: ReasonUnreachable,
		Message: fmt.Sprintf("the answer is HTTP status %d and not from a query service; check the address and what stands before it", status),
	}
}

// refuse writes an error. Nothing of the answer has been written.
func refuse(w http.ResponseWriter, err error) {
	f, code := faultOf(err)
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Del("ETag")
	status := statusOf(code)
	if f.Retry || status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		head.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(f) // who asked has gone
}

// retryAfter is what callers are asked to wait while a shard moves, which takes about as long.
const retryAfter = time.Second

func badRequest(format string, args ...any) *muster.Error {
	e := muster.Errorf(muster.InvalidArgument, format, args...)
	e.Reason = ReasonBadRequest
	return e
}

func away(reason, format string, args ...any) *muster.Error {
	e := muster.Errorf(muster.Unavailable, format, args...)
	e.Reason, e.Retry = reason, true
	return e
}

// notReached makes an overrun deadline say what was waited for. Other errors stay as they are.
func notReached(ctx context.Context, err error, awaited []muster.Position) error {
	if len(awaited) == 0 || muster.CodeOf(err) != muster.DeadlineExceeded && ctx.Err() == nil || muster.ReasonOf(err) != "" || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	e := muster.Errorf(muster.DeadlineExceeded, "the view did not reach %v in time; ask again, wait longer with timeout, or look at the status of the projection", awaited[0])
	e.Reason, e.Retry = ReasonNotReached, true
	return e
}
