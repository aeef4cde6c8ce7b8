package viewhttp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// letterPage is the answer to /views/{view}/letters: letters as their target keeps them, payload and all, for other instances of the service.
type letterPage struct {
	Format  int                `json:"format"`
	Letters []projector.Letter `json:"letters"`
}

const lettersFormat = 1

// serveLetters gives what was put aside in shards that are held here.
func (h *Handler) serveLetters(w http.ResponseWriter, r *http.Request) error {
	if h.opts.Letters == nil {
		return muster.Errorf(muster.NotFound, "letters are not given here")
	}
	form := r.URL.Query()
	q := projector.LetterQuery{
		Scope: projector.Scope{Projection: r.PathValue("view")}, Key: form.Get("key"), ID: form.Get("id"), Kind: projector.Kind(form.Get("kind")),
	}
	for _, text := range form["shard"] {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return muster.Errorf(muster.InvalidArgument, "shard is no number")
		}
		q.Shards = append(q.Shards, int32(n))
	}
	if text := form.Get("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			return muster.Errorf(muster.InvalidArgument, "limit is no number above 0")
		}
	}
	letters, err := h.opts.Letters(r.Context(), q)
	if err != nil {
		return err
	}
	w.Header().Set(HeaderForm, formStored)
	return write(w, letterPage{lettersFormat, letters})
}

// Letters gives what was put aside in shards that the instance holds.
func (c *Client) Letters(ctx context.Context, q projector.LetterQuery) ([]projector.Letter, error) {
	values := url.Values{}
	for name, text := range map[string]string{"key": q.Key, "id": q.ID, "kind": string(q.Kind)} {
		if text != "" {
			values.Set(name, text)
		}
	}
	for _, n := range q.Shards {
		values.Add("shard", strconv.Itoa(int(n)))
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	body, err := c.get(ctx, "/views/"+segment(q.Projection)+"/letters", values)
	if err != nil {
		return nil, err
	}
	var page letterPage
	if err := json.Unmarshal(body, &page); err != nil || page.Format != lettersFormat {
		return nil, muster.Errorf(muster.Internal, "the query service at %s gave letters that cannot be decoded; does it run another build?", c.base)
	}
	return page.Letters, nil
}
