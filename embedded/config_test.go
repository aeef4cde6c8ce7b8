package embedded_test

import (
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/embedded"
)

func TestValidateReportsAllFaultsAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		config embedded.Config
		faults []string
	}{
		"zero value":            {embedded.Config{}, nil},
		"three on chosen ports": {embedded.Config{Brokers: 3, Ports: []int{1, 2, 65535}}, nil},
		"ports alone":           {embedded.Config{Ports: []int{9092, 9094}}, nil},
		"negative":              {embedded.Config{Brokers: -1}, []string{"Brokers is -1"}},
		"too many":              {embedded.Config{Brokers: 65}, []string{"Brokers is 65"}},
		"too many ports":        {embedded.Config{Ports: make([]int, 65)}, []string{"65 Ports"}},
		"everything": {
			embedded.Config{Brokers: 2, Ports: []int{0, 70000, 9092, 9092}},
			[]string{"2 Brokers but 4 Ports", "port 0", "port 70000", "port 9092 is given twice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.config.Validate()
			if len(test.faults) == 0 {
				if err != nil {
					t.Fatalf("unexpected error: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, fault := range test.faults {
				if !strings.Contains(err.Error(), fault) {
					t.Errorf("error lacks %q: %v", fault, err)
				}
			}
			if _, startErr := embedded.Start(t.Context(), test.config); startErr == nil || startErr.Error() != err.Error() {
				t.Errorf("Start says %v, want what Validate says", startErr)
			}
		})
	}
}
