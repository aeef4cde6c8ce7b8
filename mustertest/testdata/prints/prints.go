// Package prints prints people in all ways, for the test that finds them.
package prints

import (
	"fmt"
	"log/slog"
)

type person struct {
	next *person
	Name string `json:"name" muster:"personal"`
	City string `json:"city"`
}

type masked struct{ person }

// Format prints nothing.
func (masked) Format(fmt.State, rune) {}

type named struct{ Person *person }

func prints(p person, all []*person, by map[string]named, m masked, log *slog.Logger) error {
	fmt.Println(p)              // found
	fmt.Printf("%+v", p.next)   // found
	slog.Info("one", "of", all) // found
	log.Error("all", "by", by)  // found
	fmt.Println(p.City, m, len(all))
	_, _ = fmt.Sscan("x", &p)
	return fmt.Errorf("%v", &p) // found
}
