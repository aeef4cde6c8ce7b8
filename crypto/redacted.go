package crypto

import (
	"fmt"
	"io"
	"log/slog"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
)

// Redacted is a value without its personal data, as a log may have it: JSON of what would stay clear. It is made when it is printed, so one that no
// handler logs costs nothing.
type Redacted struct {
	codec *Codec
	value any
}

// Redacted gives a view of a payload for logs. Protobuf's own printing knows nothing of personal fields, so log this and not the message. Raw bytes are
// told by their number, and what is sealed whole is not told at all.
func (c *Codec) Redacted(v any) Redacted { return Redacted{c, v} }

// String gives the JSON, or in brackets why there is none.
func (r Redacted) String() string {
	if r.codec == nil {
		return "(nothing)"
	}
	text, err := r.codec.redacted(r.value)
	if err != nil {
		return "(not shown)"
	}
	return text
}

// Format implements [fmt.Formatter], for all verbs.
func (r Redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (r Redacted) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue implements [slog.LogValuer].
func (r Redacted) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (c *Codec) redacted(v any) (string, error) {
	p, err := c.plans.of(v)
	if err != nil {
		return "", err
	}
	if p != nil && p.whole {
		return "(sealed whole)", nil
	}
	switch v := v.(type) {
	case muster.Raw:
		return fmt.Sprintf("(%d bytes)", len(v)), nil
	case []byte:
		return fmt.Sprintf("(%d bytes)", len(v)), nil
	}
	place := muster.Place{Purpose: muster.PurposeEvent, Type: "a log line", AggregateID: "?"}
	plain, content, err := muster.PlainCodec{}.Encode(nil, place, v)
	if err != nil || p == nil {
		return string(plain), err
	}
	out := cut{}
	if content == muster.ContentJSON {
		k := objectCutter{plan: p, aggregate: place.AggregateID, anybody: true}
		err = k.object(&out, p.object, plain, 0)
		return string(out.clear), err
	}
	k := cutter{plan: p, aggregate: place.AggregateID, anybody: true}
	if err := k.message(&out, p.wire, plain, 0); err != nil {
		return "", err
	}
	shown := v.(proto.Message).ProtoReflect().New().Interface()
	if err := proto.Unmarshal(out.clear, shown); err != nil {
		return "", err
	}
	text, err := protojson.Marshal(shown)
	return string(text), err
}
