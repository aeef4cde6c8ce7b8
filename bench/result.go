package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// result is what the file holds of one row.
type result struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"` // the median of the passes, as is Raw
	Unit   string  `json:"unit"`
	Raw    float64 `json:"raw,omitempty"`
	Ratio  float64 `json:"ratio,omitempty"` // Value / Raw
	Wanted string  `json:"wanted,omitempty"`
	Config setting `json:"config"`
	Passes []pass  `json:"passes"`
}

// setting is under which conditions a row was measured.
type setting struct {
	machine
	Broker      string `json:"broker"` // kafka or embedded
	Brokers     int    `json:"brokers"`
	Partitions  int    `json:"partitions"`
	Compression string `json:"compression"`
	N           int    `json:"n"`
	Aggregates  int    `json:"aggregates"`
	Payload     int    `json:"payload_bytes"`
	Clients     int    `json:"clients"`
	WindowMS    int64  `json:"window_ms"`
	Recover     int    `json:"recover"`
	Resident    int    `json:"resident"`
	Events      int    `json:"events"`
	Keys        int    `json:"keys"`
	SQL         int    `json:"sql"`
	Rebuild     int    `json:"rebuild"`
	Seed        uint64 `json:"seed"`
	Repeat      int    `json:"repeat"`
	Commit      string `json:"commit,omitempty"`
}

func (r *row) result(c *cluster, passes []pass) result {
	one := result{Name: r.name, Unit: r.unit, Wanted: r.wanted, Config: c.setting(), Passes: passes}
	one.Value = median(passes, func(p pass) float64 { return p.Value })
	one.Raw = median(passes, func(p pass) float64 { return p.Raw })
	if one.Raw > 0 {
		one.Ratio = one.Value / one.Raw
	}
	return one
}

func (r *result) line() string {
	if r.Raw == 0 {
		return fmt.Sprintf("%-22s %12.2f %-10s", r.Name, r.Value, r.Unit)
	}
	wanted := ""
	if r.Wanted != "" {
		wanted = " (wanted " + r.Wanted + ")"
	}
	return fmt.Sprintf("%-22s %12.2f %-10s raw %12.2f  ratio %.2f%s", r.Name, r.Value, r.Unit, r.Raw, r.Ratio, wanted)
}

// write puts the results into a file, one object per row; nothing without a name.
func write(file string, results []result) error {
	if file == "" || len(results) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// median gives the middle one, of an even number the mean of both.
func median[T any](all []T, of func(T) float64) float64 {
	if len(all) == 0 {
		return 0
	}
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}
