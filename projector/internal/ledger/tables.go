package ledger

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Format is the number of the tables' layout that this build writes.
//
//	1  schema, projections, shards, checkpoints, letters
const Format = 1

// Columns are the words a database has for the kinds of columns.
type Columns struct {
	Key   string // a text of up to 250 characters that may be part of a key
	Text  string
	Bytes string
	Time  string
	Often string // what follows a table of few rows that are written all the time
}

// Tables are the full names of the toolkit's tables.
type Tables struct{ Schema, Projections, Shards, Checkpoints, Letters string }

var word = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// Name gives the tables' names in a schema, where one is given, behind a prefix.
func Name(schema, prefix string) Tables {
	where := prefix
	if schema != "" {
		where = schema + "." + prefix
	}
	return Tables{where + "schema", where + "projections", where + "shards", where + "checkpoints", where + "letters"}
}

// Check says what is wrong with a schema or prefix: they go into statements as they are.
func Check(schema, prefix string) error {
	var faults []error
	if schema != "" && !word.MatchString(schema) {
		faults = append(faults, fmt.Errorf("schema %q: use 1 to 40 lower-case letters, digits and underscores, no digit first", schema))
	}
	if !word.MatchString(prefix) {
		faults = append(faults, fmt.Errorf("table prefix %q: use 1 to 40 lower-case letters, digits and underscores, no digit first", prefix))
	}
	return errors.Join(faults...)
}

// All gives the names in the order of their use.
func (t Tables) All() []string {
	return []string{t.Schema, t.Projections, t.Shards, t.Checkpoints, t.Letters}
}

// Statements gives what brings tables of a format to [Format], 0 meaning that there are none.
func (t Tables) Statements(from int, c Columns) []string {
	if from >= Format {
		return nil
	}
	fill := strings.NewReplacer("{schema}", t.Schema, "{projections}", t.Projections, "{shards}", t.Shards, "{checkpoints}", t.Checkpoints, "{letters}", t.Letters,
		"{key}", c.Key, "{text}", c.Text, "{bytes}", c.Bytes, "{time}", c.Time, "{often}", c.Often, "{order}", strings.ReplaceAll(t.Letters, ".", "_")+"_order")
	var all []string
	for _, statement := range formatOne {
		all = append(all, strings.TrimSpace(fill.Replace(statement)))
	}
	return append(all, fmt.Sprintf("insert into %s (format) values (%d)", t.Schema, Format))
}

// formatOne creates the tables. A projection is name@version; its generation says how often it was rebuilt.
var formatOne = []string{
	`create table {schema} (format integer not null primary key)`,
	`create table {projections} (
	projection {key} not null primary key,
	generation integer not null)`,
	`create table {shards} (
	projection {key} not null,
	generation integer not null,
	shard integer not null,
	epoch bigint not null,
	acts bigint not null,
	claimed {time} not null,
	primary key (projection, generation, shard)){often}`,
	`create table {checkpoints} (
	projection {key} not null,
	generation integer not null,
	shard integer not null,
	topic {key} not null,
	source integer not null,
	topic_id {bytes} not null,
	next_offset bigint not null,
	last_event {text} not null,
	last_offset bigint not null,
	event_time {time},
	primary key (projection, generation, shard, topic, source)){often}`,
	`create table {letters} (
	projection {key} not null,
	generation integer not null,
	shard integer not null,
	id {key} not null,
	place bigint not null,
	kind {text} not null,
	event_key {text} not null,
	reason {text} not null,
	cause {text} not null,
	attempts integer not null,
	put_aside {time},
	letter {bytes} not null,
	primary key (projection, generation, shard, id))`,
	`create unique index {order} on {letters} (projection, generation, shard, place)`,
}
