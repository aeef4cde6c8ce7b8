package main

import (
	"errors"
	"net/http"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// problem is a refusal as RFC 9457 has it, with the members that a program needs.
type problem struct {
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Detail    string     `json:"detail"`
	Code      string     `json:"code"`
	Reason    string     `json:"reason,omitempty"`
	CommandID string     `json:"commandId,omitempty"` // send it again as Idempotency-Key to learn an outcome that is not known
	Overdraft *overdraft `json:"overdraft,omitempty"`
}

// overdraft is the typed detail of a withdrawal without the money.
type overdraft struct {
	Balance int64 `json:"balance"`
	Missing int64 `json:"missing"`
}

// refuse writes an error of a call.
func refuse(w http.ResponseWriter, err error, commandID string) {
	p := problem{Detail: err.Error(), Code: muster.CodeOf(err).String(), Reason: muster.ReasonOf(err), CommandID: commandID, Status: statusOf(err)}
	if e, typed := errors.AsType[*muster.Error](err); typed {
		p.Detail = e.Message
		if e.Retry {
			w.Header().Set("Retry-After", "1")
		}
	}
	if d, found := muster.DetailOf[*bankpb.Overdraft](err); found {
		p.Overdraft = &overdraft{Balance: d.GetBalance(), Missing: d.GetMissing()}
	}
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, p.Status, p)
}

// statusOf gives the HTTP status of an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, muster.ErrIDReused):
		return http.StatusUnprocessableEntity
	case errors.Is(err, muster.ErrConflict):
		return http.StatusPreconditionFailed
	case errors.Is(err, muster.ErrShuttingDown):
		return http.StatusServiceUnavailable
	case errors.Is(err, muster.ErrOutcomeUnknown):
		return http.StatusGatewayTimeout // it may or may not have taken effect
	}
	switch muster.CodeOf(err) {
	case muster.InvalidArgument, muster.OutOfRange:
		return http.StatusBadRequest
	case muster.Unauthenticated:
		return http.StatusUnauthorized
	case muster.PermissionDenied:
		return http.StatusForbidden
	case muster.NotFound:
		return http.StatusNotFound
	case muster.AlreadyExists, muster.FailedPrecondition, muster.Aborted:
		return http.StatusConflict
	case muster.ResourceExhausted:
		return http.StatusTooManyRequests
	case muster.Unimplemented:
		return http.StatusNotImplemented
	case muster.Unavailable:
		return http.StatusServiceUnavailable
	case muster.DeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}
