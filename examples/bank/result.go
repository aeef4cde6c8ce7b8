package main

import (
	"net/http"
	"net/url"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// accepted is what is known of a command whose outcome is not.
type accepted struct {
	CommandID string `json:"commandId"`
	State     string `json:"state"`
}

// locate tells where the outcome of a command can be asked for.
func locate(w http.ResponseWriter, group *muster.Group, id, key string) {
	path := "/accounts/" + url.PathEscape(id) + "/commands/" + url.PathEscape(key)
	if group == bank.Transfers {
		path = "/transfers/" + url.PathEscape(key)
	}
	w.Header().Set("Location", path)
}

// result answers with the outcome of an earlier command, as long as its owner remembers it (24 h by default).
func result[In proto.Message](f *face, c *muster.CommandType[In, *bankpb.Account], target func(*http.Request, string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		id := target(r, key)
		found, err := c.Result(r.Context(), f.client, id, key)
		switch {
		case err != nil:
			refuse(w, err, key)
		case found.State == muster.ResultPending:
			locate(w, c.Group(), id, key)
			write(w, http.StatusAccepted, accepted{key, found.State.String()})
		case found.State == muster.ResultUnknown:
			refuse(w, muster.Errorf(muster.NotFound, "no command %s is known here", key), key)
		case found.Refusal != nil:
			refuse(w, found.Refusal, key)
		case found.Omitted:
			refuse(w, muster.Errorf(muster.DataLoss, "command %s is done, but its answer is not kept", key), key)
		default:
			show(w, http.StatusOK, id, found.Value, found.Receipt, c.Group() == bank.Accounts)
		}
	})
}
