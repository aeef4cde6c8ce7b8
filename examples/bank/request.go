package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// maxBody bounds the body of a request; what it holds is a small message.
const maxBody = 64 << 10

// keyHeader is the command id: who sends a request again with the same key gets the first answer again
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). A request without one gets a new id.
const keyHeader = "Idempotency-Key"

// view is an account as JSON.
type view struct {
	ID       string `json:"id,omitempty"`
	Holder   string `json:"holder"`
	Balance  int64  `json:"balance"` // cents
	Revision uint64 `json:"revision,omitempty"`
	Repeated bool   `json:"repeated,omitempty"` // the answer to an earlier request with the same key
}

// command answers with the outcome of one command. The body is its payload, Idempotency-Key its id, If-Match the expected revision; with
// Prefer: respond-async nobody waits for the outcome.
func command[In proto.Message](f *face, c *muster.CommandType[In, *bankpb.Account], status int, target func(*http.Request, string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(keyHeader)
		if key == "" {
			key = uuid.NewString()
		}
		w.Header().Set(keyHeader, key)
		var none In
		in := none.ProtoReflect().New().Interface().(In)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = protojson.Unmarshal(body, in)
		}
		if err != nil {
			refuse(w, muster.Errorf(muster.InvalidArgument, "the body is no JSON of %s", in.ProtoReflect().Descriptor().Name()), key)
			return
		}
		var receipt muster.Receipt
		opts := []muster.CallOption{muster.CommandID(key), muster.ReceiptTo(&receipt)}
		if match := r.Header.Get("If-Match"); match != "" {
			revision, err := strconv.ParseUint(strings.Trim(match, `"`), 10, 64)
			if err != nil {
				refuse(w, muster.Errorf(muster.InvalidArgument, "If-Match takes a revision, as ETag tells it"), key)
				return
			}
			opts = append(opts, muster.ExpectRevision(revision))
		}
		id := target(r, key)
		if strings.Contains(r.Header.Get("Prefer"), "respond-async") {
			if _, err := c.Send(r.Context(), f.client, id, in, opts...); err != nil {
				refuse(w, err, key)
				return
			}
			locate(w, c.Group(), id, key)
			write(w, http.StatusAccepted, accepted{key, "durable"})
			return
		}
		account, err := c.Call(r.Context(), f.client, id, in, opts...)
		if err != nil {
			if errors.Is(err, muster.ErrOutcomeUnknown) {
				locate(w, c.Group(), id, key)
			}
			refuse(w, err, key)
			return
		}
		show(w, status, id, account, receipt, c.Group() == bank.Accounts)
	})
}

// balance answers a query, which has seen every command that was answered before.
func (f *face) balance(w http.ResponseWriter, r *http.Request) {
	var receipt muster.Receipt
	id := r.PathValue("id")
	account, err := bank.Balance.Call(r.Context(), f.client, id, &bankpb.GetBalance{}, muster.ReceiptTo(&receipt))
	if err != nil {
		refuse(w, err, "")
		return
	}
	show(w, http.StatusOK, id, account, receipt, true)
}

// show writes an account. Only an answer of the account itself tells its id and revision.
func show(w http.ResponseWriter, status int, id string, account *bankpb.Account, receipt muster.Receipt, own bool) {
	v := view{Holder: account.GetHolder(), Balance: account.GetBalance(), Repeated: receipt.Repeated}
	if own {
		v.ID, v.Revision = id, receipt.Revision
		w.Header().Set("ETag", strconv.Quote(strconv.FormatUint(receipt.Revision, 10)))
	}
	write(w, status, v)
}

func write(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked has gone
}
