package viewhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// page is a [projector.Page] as JSON. Value stands there for rows that can be shown as JSON, Base64 and ContentType for others.
type page struct {
	View     string   `json:"view"`
	Rows     []row    `json:"rows"`
	Token    string   `json:"token,omitempty"`
	Position []string `json:"position"`
	Stale    bool     `json:"stale,omitempty"`
}

type row struct {
	Key         string          `json:"key"`
	Value       json.RawMessage `json:"value,omitempty"`
	Base64      []byte          `json:"base64,omitempty"`
	ContentType string          `json:"content_type,omitempty"`
}

// single is the answer to a request for one row.
type single struct {
	View string `json:"view"`
	row
	Position []string `json:"position"`
	Stale    bool     `json:"stale,omitempty"`
}

// counter is the answer to a request for a counter.
type counter struct {
	View     string   `json:"view"`
	Name     string   `json:"name"`
	Value    int64    `json:"value"`
	Position []string `json:"position"`
	Stale    bool     `json:"stale,omitempty"`
}

// storedPage is a page as the Go client reads it: keys and values byte for byte, in base64.
type storedPage struct {
	View       string      `json:"view"`
	Generation *int        `json:"generation,omitempty"` // nil: not known
	Rows       []storedRow `json:"rows"`
	Token      string      `json:"token,omitempty"`
	Position   []string    `json:"position"`
	Counter    int64       `json:"counter,omitempty"`
	Stale      bool        `json:"stale,omitempty"`
}

type storedRow struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	Shard       int32  `json:"shard"`
	Order       []byte `json:"order,omitempty"`
}

func store(r projector.RawRow) storedRow {
	return storedRow{Key: []byte(r.Key), Value: r.Value, ContentType: r.ContentType, Shard: r.Shard, Order: []byte(r.Order)}
}

func (r storedRow) open() projector.RawRow {
	return projector.RawRow{Key: string(r.Key), Value: r.Value, ContentType: r.ContentType, Shard: r.Shard, Order: string(r.Order)}
}

// readable is a key as JSON can hold it.
func readable(key string) string { return strings.ToValidUTF8(key, "\uFFFD") }

// show makes a row readable.
func (h *Handler) show(view string, r projector.RawRow) row {
	shown := row{Key: readable(r.Key)}
	switch r.ContentType {
	case muster.ContentJSON:
		var out bytes.Buffer
		if json.Compact(&out, r.Value) == nil {
			shown.Value = out.Bytes()
			return shown
		}
	case muster.ContentProtobuf:
		if text := h.protobuf(view, r.Value); text != nil {
			shown.Value = text
			return shown
		}
	}
	shown.Base64, shown.ContentType = r.Value, r.ContentType
	if shown.ContentType == "" {
		shown.ContentType = muster.ContentRaw
	}
	return shown
}

// protobuf gives a protobuf row as JSON, nil where the type is not known.
func (h *Handler) protobuf(view string, value []byte) json.RawMessage {
	if h.opts.Message == nil {
		return nil
	}
	kind := h.opts.Message(view)
	if kind == nil {
		return nil
	}
	m := kind.ProtoReflect().New().Interface()
	if proto.Unmarshal(value, m) != nil {
		return nil
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil
	}
	var out bytes.Buffer // protojson puts blanks in at random
	if json.Compact(&out, text) != nil {
		return nil
	}
	return out.Bytes()
}

// maxHeaderPositions bounds the header; the body has all positions.
const maxHeaderPositions = 4 << 10

// head sets the headers that say what answered.
func head(w http.ResponseWriter, p projector.Page) []string {
	tokens := make([]string, 0, len(p.At))
	for _, at := range p.At {
		if at.Offset >= 0 { // nothing of an empty source can be waited for
			tokens = append(tokens, at.Token())
		}
	}
	h := w.Header()
	h.Set(HeaderView, p.View)
	if joined := strings.Join(tokens, ","); joined != "" && len(joined) <= maxHeaderPositions {
		h.Set(HeaderPosition, joined)
	}
	if p.Stale {
		h.Set(HeaderStale, "true")
	}
	return tokens
}

// write gives a body as JSON.
func write(w http.ResponseWriter, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // who asked has gone
	return nil
}

func (h *Handler) writePage(w http.ResponseWriter, d demand, p projector.Page) error {
	tokens := head(w, p)
	if d.stored {
		w.Header().Set(HeaderForm, formStored)
		body := storedPage{View: p.View, Generation: &p.Generation, Rows: make([]storedRow, len(p.Rows)), Token: p.Token, Position: tokens, Counter: p.Counter, Stale: p.Stale}
		for i, r := range p.Rows {
			body.Rows[i] = store(r)
		}
		return write(w, body)
	}
	body := page{View: p.View, Rows: make([]row, len(p.Rows)), Token: p.Token, Position: tokens, Stale: p.Stale}
	for i, r := range p.Rows {
		body.Rows[i] = h.show(d.query.View, r)
	}
	return write(w, body)
}

func (h *Handler) writeRow(w http.ResponseWriter, d demand, p projector.Page) error {
	if len(p.Rows) == 0 {
		_ = head(w, p)
		e := muster.Errorf(muster.NotFound, "view %s has no such row", p.View)
		e.Reason = ReasonNoRow
		return e
	}
	r := p.Rows[0]
	tokens := head(w, p)
	if !d.raw {
		return write(w, single{View: p.View, row: h.show(d.query.View, r), Position: tokens, Stale: p.Stale})
	}
	w.Header().Set("Content-Type", r.ContentType)
	if r.ContentType == "" {
		w.Header().Set("Content-Type", muster.ContentRaw)
	}
	_, _ = w.Write(r.Value) // who asked has gone
	return nil
}

// wantsRaw says that the caller wants the bytes of the row.
func wantsRaw(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if kind, _, err := mime.ParseMediaType(part); err == nil && kind == muster.ContentRaw {
			return true
		}
	}
	return false
}
