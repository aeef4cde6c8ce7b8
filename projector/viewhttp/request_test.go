package viewhttp_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// Whatever comes as a request is answered, with a status that says whose fault it is, and what gets through is a query in bounds.
func FuzzRequest(f *testing.F) {
	f.Add("totals@2", "acc-1", "limit=3&reverse&min-position="+at(0).Token(), "AQA")
	f.Add("totals", "a/b", "prefix=%ff&from=a&to=b&token=%00&index=first&index_key=x&form=stored&stale=1&shards=-1,3&timeout=1ms", at(0).Token())
	f.Fuzz(func(t *testing.T, view, key, parameters, position string) {
		c := totals()
		h := viewhttp.New(c, viewhttp.Options{})
		for _, path := range []string{"/rows", "/rows/x", "/counters/x", "/wait"} {
			r := httptest.NewRequest(http.MethodGet, "/views/x"+path, nil)
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/views/"+view+path, "", parameters+"&timeout=1ms"
			r.SetPathValue("key", key)
			r.Header.Set(viewhttp.HeaderMinPosition, position)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code >= 500 && w.Code != http.StatusGatewayTimeout {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		for _, q := range c.asked() {
			if q.Limit < 0 || q.Limit > 1000 || q.Version < 0 || len(q.AtLeast) > 256 || len(q.Key) > 4096 {
				t.Errorf("a query out of bounds: %+v", q)
			}
		}
		h.Close()
	})
}

// An id of an event is read by what wrote it, and has one spelling.
func FuzzEventID(f *testing.F) {
	f.Add(viewhttp.Reached{{Topic: topic}: 7, {Topic: topic, Partition: 3}: -1, {Topic: "b", Partition: math.MaxInt32}: math.MaxInt64 - 1}.EventID())
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, id string) {
		r, err := viewhttp.ParseEventID(id)
		if err == nil && r.EventID() != id && len(r) > 0 {
			t.Errorf("%q reads as %v, which is written as %q", id, r, r.EventID())
		}
	})
}

func TestEventIDRoundTrips(t *testing.T) {
	many := viewhttp.Reached{}
	for p := range int32(200) {
		many[projector.Source{Topic: topic, Partition: p}] = int64(p) * 1000
	}
	for name, r := range map[string]viewhttp.Reached{
		"one": {{Topic: topic}: 0}, "nothing yet": {{Topic: topic}: -1}, "200 partitions": many,
		"two topics": {{Topic: "b", Partition: 1}: 2, {Topic: strings.Repeat("x", 249)}: 1 << 60},
	} {
		got, err := viewhttp.ParseEventID(r.EventID())
		if diff := cmp.Diff(r, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for p := range int32(5000) {
		many[projector.Source{Topic: topic, Partition: p}] = math.MaxInt64 - 1
	}
	if id := many.EventID(); id != "" {
		t.Errorf("an id of %d bytes", len(id))
	}
	if _, err := muster.ParseToken(viewhttp.Reached{{Topic: topic}: 0}.EventID()); err == nil {
		t.Error("an event id is read as a position")
	}
}
