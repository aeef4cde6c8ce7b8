package muster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// sentNothing is a sender that nothing may reach.
type sentNothing struct{ t *testing.T }

func (s sentNothing) SendCommands(_ context.Context, _ *muster.Group, cmds []*muster.Command) []error {
	if len(cmds) > 0 {
		s.t.Errorf("%d commands were sent", len(cmds))
	}
	return make([]error, len(cmds))
}

// What an owner would refuse is refused before it is written, by Send, by SendAll and by Call, each with its reason and the name of what is wrong.
func TestCommandsOverALimitAreNotWritten(t *testing.T) {
	g := muster.NewGroup("limits")
	client := muster.NewClient(muster.ClientConfig{Sender: sentNothing{t}, ReplyTo: muster.ReplyTo{Topic: "replies.x"}})
	good := func() *muster.Command {
		return &muster.Command{
			Meta:    muster.Meta{ID: "c1", Type: "limits.Do", Group: "limits", AggregateID: "a1", Time: time.Now(), CorrelationID: strings.Repeat("c", 200), CausationID: strings.Repeat("c", 200), DataSchema: strings.Repeat("s", 1024)},
			Payload: []byte("x"),
		}
	}
	if err := muster.CheckCommand(good()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil  func(*muster.Command)
		reason string
		says   string
	}{
		"aggregate":           {func(c *muster.Command) { c.AggregateID = strings.Repeat("x", 201) }, muster.ReasonBadID, "aggregate id has 201 bytes"},
		"no aggregate":        {func(c *muster.Command) { c.AggregateID = "" }, muster.ReasonBadID, "aggregate id is missing"},
		"id":                  {func(c *muster.Command) { c.ID = strings.Repeat("x", 65) }, muster.ReasonBadID, "command id has 65 bytes"},
		"type":                {func(c *muster.Command) { c.Type = strings.Repeat("x", 201) }, muster.ReasonBadType, "type has 201 bytes"},
		"type, UTF-8":         {func(c *muster.Command) { c.Type = "\xff" }, muster.ReasonBadType, "type is not valid UTF-8"},
		"headers":             {func(c *muster.Command) { c.Headers = make(muster.Headers, 65) }, muster.ReasonTooManyHeads, "65 headers"},
		"reserved":            {func(c *muster.Command) { c.Headers = muster.Headers{{Key: "muster-x"}} }, muster.ReasonReserved, "muster-x"},
		"payload":             {func(c *muster.Command) { c.Payload = make([]byte, muster.MaxPayload+1) }, muster.ReasonTooLarge, "at most 921600"},
		"correlation":         {func(c *muster.Command) { c.CorrelationID += "c" }, muster.ReasonBadID, "correlation id has 201 bytes"},
		"correlation, UTF-8":  {func(c *muster.Command) { c.CorrelationID = "\xff" }, muster.ReasonBadID, "correlation id is not valid UTF-8"},
		"causation":           {func(c *muster.Command) { c.CausationID += "c" }, muster.ReasonBadID, "causation id has 201 bytes"},
		"causation, a line":   {func(c *muster.Command) { c.CausationID = "a\nb" }, muster.ReasonBadID, "causation id has an unprintable character"},
		"schema":              {func(c *muster.Command) { c.DataSchema += "s" }, muster.ReasonBadRecord, "data schema has 1025 bytes"},
		"content type":        {func(c *muster.Command) { c.ContentType = "a\x00" }, muster.ReasonBadRecord, "content type has an unprintable character"},
		"time":                {func(c *muster.Command) { c.Time = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }, muster.ReasonBadRecord, "the year 10000"},
		"time, before Christ": {func(c *muster.Command) { c.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, muster.ReasonBadRecord, "the year -1"},
		"deadline":            {func(c *muster.Command) { c.Deadline = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }, muster.ReasonBadRecord, "the year 10000"},
		"deadline, early":     {func(c *muster.Command) { c.Deadline = time.Unix(-1, 0) }, muster.ReasonBadRecord, "the year 1969"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := good()
			c.spoil(cmd)
			_, calling := client.Call(t.Context(), g, cmd)
			for way, err := range map[string]error{"Send": client.Send(t.Context(), g, cmd), "SendAll": client.SendAll(t.Context(), g, []*muster.Command{cmd})[0], "Call": calling} {
				if muster.CodeOf(err) != muster.InvalidArgument || muster.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v, want %s and %q", way, err, c.reason, c.says)
				}
			}
		})
	}
}
