package projector_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// What holds a trim back is the shard that is farthest behind, of all versions and generations; copies and the dead do not count, and where nobody says
// how far a projection is, there is an error and no number.
func TestWhatHoldsATrimBack(t *testing.T) {
	now := time.Now()
	entry := func(age time.Duration, all ...projector.Status) projector.Entry {
		value, err := json.Marshal(map[string]any{"format": 1, "when": now, "shards": all})
		if err != nil {
			t.Fatal(err)
		}
		return projector.Entry{Value: value, Time: now.Add(-age)}
	}
	at := func(projection string, shard int32, next int64, standby bool) projector.Status {
		return projector.Status{Projection: projection, Shard: shard, Standby: standby, Checkpoint: []projector.Checkpoint{{
			Source: projector.Source{Topic: "notes.events", Partition: shard}, Next: next,
		}}}
	}
	entries := map[string]projector.Entry{
		"status/a@1/one/0":  entry(time.Second, at("a@1", 0, 50, false), at("a@1", 1, 60, true)),
		"status/a@1/two/0":  entry(time.Second, at("a@1", 1, 70, false)),
		"status/a@1/one/1":  entry(time.Second, at("a@1", 0, 40, false)),
		"status/a@1/dead/0": entry(time.Hour, at("a@1", 1, 5, false)),
		"status/b@2/one/0":  entry(time.Second, at("b@2", 0, 45, false), at("b@2", 1, 65, false)),
		"status/c@1/gone/0": entry(8*24*time.Hour, at("c@1", 0, 1, false)),
		"paused/a@1":        {Value: []byte("{}"), Time: now},
	}
	back, err := projector.HeldBack(entries, "notes.events", 2, []string{"a@1"}, now)
	if err != nil || back[0] != (projector.ReadUpTo{Projection: "a@1", Offset: 40}) || back[1] != (projector.ReadUpTo{Projection: "b@2", Offset: 65}) {
		t.Errorf("%+v, %v", back, err)
	}
	if back, err := projector.HeldBack(entries, "others.events", 2, nil, now); err != nil || len(back) != 0 {
		t.Errorf("a journal that nobody reads: %+v, %v", back, err)
	}
	delete(entries, "status/a@1/two/0") // a copy and a dead instance are left of shard 1
	for _, named := range [][]string{{"a@1"}, nil, {"b@2"}} {
		if _, err := projector.HeldBack(entries, "notes.events", 2, named, now); muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "a@1: no instance says how far it has read notes.events[1]") {
			t.Errorf("named %v: %v", named, err)
		}
	}
	if _, err := projector.HeldBack(nil, "notes.events", 2, []string{"new@1"}, now); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("one that has said nothing yet: %v", err)
	}
}
