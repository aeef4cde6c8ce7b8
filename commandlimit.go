package muster

import "time"

// What a command need not have, in bytes.
const (
	maxCausality = 200  // of a correlation or causation id; the toolkit's own are at most 80
	maxAttribute = 1024 // of a data schema or a content type
)

// lastYear is the last one that RFC 3339 can name.
const lastYear = 9999

// CheckCommand holds a command against all limits; the first one it breaks is the error.
func CheckCommand(cmd *Command) error {
	if err := CheckAggregateID(cmd.AggregateID); err != nil {
		return err
	}
	if err := CheckCommandID(cmd.ID); err != nil {
		return err
	}
	if err := CheckType(cmd.Type); err != nil {
		return err
	}
	if err := CheckHeaders(cmd.Headers); err != nil {
		return err
	}
	if err := CheckPayload("command "+cmd.Type, len(cmd.Payload)); err != nil {
		return err
	}
	return checkOptional(cmd)
}

// checkOptional holds what a command need not have against what its owner takes.
func checkOptional(cmd *Command) error {
	for _, text := range [...]struct {
		name, reason, value string
		limit               int
	}{
		{"correlation id", ReasonBadID, cmd.CorrelationID, maxCausality},
		{"causation id", ReasonBadID, cmd.CausationID, maxCausality},
		{"data schema", ReasonBadRecord, cmd.DataSchema, maxAttribute},
		{"content type", ReasonBadRecord, cmd.ContentType, maxAttribute},
	} {
		if text.value == "" {
			continue
		}
		if err := checkName(text.name, text.reason, text.value, text.limit); err != nil {
			return err
		}
	}
	if y := cmd.Time.Year(); y < 0 || y > lastYear {
		return refuse(InvalidArgument, ReasonBadRecord, "the time of command %s is in the year %d; 0 to %d can be written", cmd.Type, y, lastYear)
	}
	if d := cmd.Deadline; !d.IsZero() && (d.Before(time.Unix(0, 0)) || d.UTC().Year() > lastYear) {
		return refuse(InvalidArgument, ReasonBadRecord, "the deadline of command %s is in the year %d; 1970 to %d can be written", cmd.Type, d.UTC().Year(), lastYear)
	}
	return nil
}
