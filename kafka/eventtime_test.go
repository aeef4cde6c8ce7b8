package kafka_test

import (
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/kafka"
)

// The times the toolkit writes are read by a way of their own. It gives what time.Parse does, and takes nothing that this refuses.
func TestTimesAreReadAsTimeParseDoes(t *testing.T) {
	texts := []string{
		"2026-11-21T17:05:04.000000Z", "2026-11-21T17:05:04.123456Z", "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T12:00:00.000001Z",
		"2026-02-28T23:59:59.000000Z", "2026-11-30T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z", "2026-11-21T17:05:04Z", "2026-11-21T17:05:04.123456789Z",
		"2026-11-21T17:05:04.123456+02:00", "2026-02-29T00:00:00.000000Z", "2026-02-30T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "2026-00-01T00:00:00.000000Z",
		"2026-11-00T00:00:00.000000Z", "2026-11-31T00:00:00.000000Z", "2026-11-21T24:00:00.000000Z", "2026-11-21T17:60:04.000000Z", "2026-11-21T17:05:60.000000Z",
		"2026-11-21t17:05:04.000000z", "2026-11-21 17:05:04.000000Z", "2026-11-21T17:05:04,000000Z", "2026-11-21T17:05:04.00000-Z", "2026-1a-21T17:05:04.000000Z", "",
	}
	for _, text := range texts {
		r := kafka.EncodeEvent(fullEvent(), "accounts.events")
		header(r, "ce_time", []byte(text))
		got, err := kafka.DecodeEvent(r, accounts)
		var want time.Time
		refused := want.UnmarshalText([]byte(text))
		if (err == nil) != (refused == nil) {
			t.Errorf("%q: %v, where time.Time says %v", text, err, refused)
		} else if want = want.UTC().Truncate(time.Microsecond); err == nil && (!got.Time.Equal(want) || got.Time.Location() != time.UTC) {
			t.Errorf("%q is read as %v", text, got.Time)
		}
	}
}
