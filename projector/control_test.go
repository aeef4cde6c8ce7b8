package projector_test

import (
	"testing"

	"github.com/seed-3eec0498/muster/projector"
)

// Whatever lies in the control topic, every entry is at most one order or one fault, and none stops the reading.
func FuzzControl(f *testing.F) {
	for key, value := range map[string]string{
		"act/1": `{"format":1,"projection":"totals@1","kind":"retry"}`, "pause/totals@1": "{}", "pause/totals@1/3": "null", "pause/totals@1/x": "", "pause/totals@1/99999999999": "",
		"serving/totals@1": `{"format":1,"version":2}`, "serving/totals@2": `{"format":1,"version":-2}`, "build/totals@1": `{"format":1,"generation":1}`, "erase/totals@1/x": "[]", "": "",
		"act/": "null", "acts/2": `{"format":2}`,
	} {
		f.Add(key, []byte(value), "totals@1")
	}
	f.Fuzz(func(t *testing.T, key string, value []byte, projection string) {
		if orders, faults := projector.ReadControl(key, value, projection); orders < 0 || orders+faults > 1 {
			t.Fatalf("%d orders and %d faults of one entry", orders, faults)
		}
	})
}
