package service

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// orderTimeout bounds how long an order is waited for; it is below the answerTimeout.
const orderTimeout = 20 * time.Second

// orderBytes bounds the body of an order.
const orderBytes = 64 << 10

// handleProjections adds what operators ask of projections, and order:
//
//	GET  /projections                        what all instances say of the shards they hold
//	GET  /projections/{projection}           the same of one, totals or totals@2
//	GET  /projections/{projection}/letters   what was put aside; key, kind, id, shard, limit
//	GET  /projections/{projection}/versions  how the versions of a name stand, and which one serves
//	POST /projections/{projection}/{order}   pause, resume, skip, restart, retry, drop, rebuild, serve; the body is an order, or empty
//
// An order is answered with 204 when it is carried out, and with 202 when it stands but was not carried out in time.
func (s *Service) handleProjections(mux *http.ServeMux) {
	mux.HandleFunc("GET /projections", s.serveProjections)
	mux.HandleFunc("GET /projections/{projection}", s.serveProjections)
	mux.HandleFunc("GET /projections/{projection}/letters", s.serveLetters)
	mux.HandleFunc("GET /projections/{projection}/versions", s.serveVersions)
	mux.HandleFunc("POST /projections/{projection}/{order}", s.serveOrder)
}

// shardView is a [projector.Status] as operators see it.
type shardView struct {
	Projection string                 `json:"projection"`
	Shard      int32                  `json:"shard"`
	Generation int                    `json:"generation,omitempty"`
	Instance   string                 `json:"instance"`
	State      projector.State        `json:"state"`
	Reason     string                 `json:"reason,omitempty"`
	Error      string                 `json:"error,omitempty"`
	At         string                 `json:"at,omitempty"`
	Since      time.Time              `json:"since"`
	Positions  []string               `json:"positions"`
	Lag        int64                  `json:"lag"`
	LagSeconds float64                `json:"lag_seconds"`
	Rate       float64                `json:"rate"`
	ETASeconds float64                `json:"eta_seconds"` // negative: not known
	Parked     int                    `json:"parked"`
	Letters    map[projector.Kind]int `json:"letters,omitempty"`
	Standby    bool                   `json:"standby,omitempty"`
}

func viewOfShard(st *projector.Status) shardView {
	v := shardView{
		Projection: st.Projection, Shard: st.Shard, Generation: st.Generation, Instance: st.Instance, State: st.State, Reason: st.Reason, Error: st.Error, At: st.At, Since: st.Since,
		Positions: []string{}, Lag: st.Lag, LagSeconds: st.LagTime.Seconds(), Rate: st.Rate, ETASeconds: st.ETA.Seconds(), Parked: st.Parked,
		Letters: st.Letters, Standby: st.Standby,
	}
	for _, c := range st.Checkpoint {
		v.Positions = append(v.Positions, c.Position().String())
	}
	return v
}

func (s *Service) serveProjections(w http.ResponseWriter, r *http.Request) {
	var names []string
	if name := r.PathValue("projection"); name != "" {
		names = append(names, name)
	} else {
		for _, p := range s.projections {
			names = append(names, p.String())
		}
	}
	page := struct {
		Shards []shardView `json:"shards"`
	}{Shards: []shardView{}}
	for _, name := range names {
		all, err := s.statusOf(r, name)
		if err != nil {
			writeFault(w, err)
			return
		}
		for i := range all {
			page.Shards = append(page.Shards, viewOfShard(&all[i]))
		}
	}
	writeJSON(w, true, page)
}

func (s *Service) statusOf(r *http.Request, name string) ([]projector.Status, error) {
	if s.operator == nil {
		return nil, s.noProjections()
	}
	return s.operator.Status(r.Context(), projector.Scope{Projection: name})
}

func (s *Service) noProjections() error {
	return muster.Errorf(muster.NotFound, "service %s has no projections", s.cfg.Name)
}

// versionView is a [projector.VersionStatus] as operators see it.
type versionView struct {
	Projection string `json:"projection"`
	Generation int    `json:"generation"`
	Serving    bool   `json:"serving"`
	Ready      bool   `json:"ready"`
	Lag        int64  `json:"lag"`
}

func (s *Service) serveVersions(w http.ResponseWriter, r *http.Request) {
	if s.operator == nil {
		writeFault(w, s.noProjections())
		return
	}
	plain, _, _ := strings.Cut(r.PathValue("projection"), "@")
	all, err := s.operator.Versions(r.Context(), plain)
	if err != nil {
		writeFault(w, err)
		return
	}
	page := struct {
		Versions []versionView `json:"versions"`
	}{Versions: []versionView{}}
	for _, v := range all {
		page.Versions = append(page.Versions, versionView(v))
	}
	writeJSON(w, true, page)
}

// letterView is a letter as operators see it, without the event's payload.
type letterView struct {
	ID       string         `json:"id"`
	Kind     projector.Kind `json:"kind"`
	Key      string         `json:"key"`
	Reason   string         `json:"reason,omitempty"`
	Cause    string         `json:"cause,omitempty"`
	Attempts int            `json:"attempts"`
	At       time.Time      `json:"at"`
	Position string         `json:"position"`
	Type     string         `json:"type,omitempty"`
	EventID  string         `json:"event_id,omitempty"`
}

func (s *Service) serveLetters(w http.ResponseWriter, r *http.Request) {
	p, err := s.named(r.PathValue("projection"))
	if err != nil {
		writeFault(w, err)
		return
	}
	form := r.URL.Query()
	q := projector.LetterQuery{Scope: projector.Scope{Projection: p.String()}, Key: form.Get("key"), ID: form.Get("id"), Kind: projector.Kind(form.Get("kind"))}
	if text := form.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			writeFault(w, muster.Errorf(muster.InvalidArgument, "limit is no number above 0"))
			return
		}
	}
	for _, text := range form["shard"] {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			writeFault(w, muster.Errorf(muster.InvalidArgument, "shard is no number"))
			return
		}
		q.Shards = append(q.Shards, int32(n))
	}
	letters, err := s.operator.Letters(r.Context(), q)
	if err != nil {
		writeFault(w, err)
		return
	}
	page := struct {
		Letters []letterView `json:"letters"`
	}{Letters: []letterView{}}
	for i := range letters {
		l := &letters[i]
		page.Letters = append(page.Letters, letterView{
			ID: l.ID, Kind: l.Kind, Key: l.Key, Reason: l.Reason, Cause: l.Cause, Attempts: l.Attempts, At: l.At, Position: l.Event.Position().String(),
			Type: l.Event.Type, EventID: l.Event.ID,
		})
	}
	writeJSON(w, true, page)
}

// named finds a projection of this instance by its name, with or without a version.
func (s *Service) named(name string) (*projection, error) {
	for _, p := range s.projections {
		if p.String() == name {
			return p, nil
		}
	}
	return s.projection(name, 0)
}

// order is the body of an order.
type order struct {
	Shards []int32      `json:"shards"` // none: all
	Key    string       `json:"key"`    // of retry and drop: what is parked under it
	Letter string       `json:"letter"` // of retry and drop: one letter; neither, with retry: all that is parked
	From   []orderPlace `json:"from"`   // of restart: where to go on; none: where the projection starts
}

type orderPlace struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func (s *Service) serveOrder(w http.ResponseWriter, r *http.Request) {
	err := s.order(w, r)
	switch code := muster.CodeOf(err); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case code == muster.DeadlineExceeded || code == muster.Cancelled:
		writeJSONStatus(w, http.StatusAccepted, faultView{code.String(), err.Error()})
	default:
		writeFault(w, err)
	}
}

func (s *Service) order(w http.ResponseWriter, r *http.Request) error {
	if s.operator == nil {
		return s.noProjections()
	}
	var o order
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, orderBytes))
	body.DisallowUnknownFields()
	if err := body.Decode(&o); err != nil && !errors.Is(err, io.EOF) {
		return muster.Errorf(muster.InvalidArgument, "the body is no order: %v", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	scope := projector.Scope{Projection: r.PathValue("projection"), Shards: o.Shards}
	switch name := r.PathValue("order"); {
	case name == "pause":
		return s.operator.Pause(ctx, scope)
	case name == "resume":
		return s.operator.Resume(ctx, scope)
	case name == "skip" && len(o.Shards) == 1:
		return s.operator.Skip(ctx, scope.Projection, o.Shards[0])
	case name == "skip":
		return muster.Errorf(muster.InvalidArgument, "skip passes over the event that one shard stopped at; name that shard")
	case name == "restart":
		from := make([]muster.Position, 0, len(o.From))
		for _, at := range o.From {
			from = append(from, muster.Position(at))
		}
		return s.operator.Restart(ctx, scope, from...)
	case name == "retry" && o.Letter != "":
		return s.operator.RetryLetter(ctx, scope, o.Letter)
	case name == "retry" && o.Key != "":
		return s.operator.Retry(ctx, scope, o.Key)
	case name == "retry":
		return s.operator.RetryAll(ctx, scope)
	case name == "drop" && o.Letter != "":
		return s.operator.DropLetter(ctx, scope, o.Letter)
	case name == "drop":
		return s.operator.Drop(ctx, scope, o.Key)
	case name == "rebuild":
		_, err := s.operator.Rebuild(ctx, scope.Projection)
		return err
	case name == "serve":
		plain, version, _ := strings.Cut(scope.Projection, "@")
		n, err := strconv.Atoi(version)
		if err != nil {
			return muster.Errorf(muster.InvalidArgument, "serve needs a version: /projections/%s@2/serve", plain)
		}
		return s.operator.Serve(ctx, plain, n)
	default:
		return muster.Errorf(muster.Unimplemented, "there is no order of that name; there are pause, resume, skip, restart, retry, drop, rebuild, serve")
	}
}

// faultView is an error as JSON.
type faultView struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

var httpStatus = map[muster.Code]int{
	muster.NotFound: http.StatusNotFound, muster.InvalidArgument: http.StatusBadRequest, muster.FailedPrecondition: http.StatusConflict,
	muster.Unavailable: http.StatusServiceUnavailable, muster.Unimplemented: http.StatusNotImplemented, muster.PermissionDenied: http.StatusForbidden,
}

func writeFault(w http.ResponseWriter, err error) {
	code := muster.CodeOf(err)
	writeJSONStatus(w, orDefault(httpStatus[code], http.StatusInternalServerError), faultView{code.String(), err.Error()})
}

func writeJSONStatus(w http.ResponseWriter, status int, page any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(page) // who asked has gone
}
