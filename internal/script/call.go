package script

import (
	"fmt"
	"strconv"
	"strings"
)

// Call is one line of a step: a verb with arguments in order and arguments by name.
type Call struct {
	Verb  string
	Args  []string
	Named map[string]string
}

// ParseCalls reads lines of the form
//
//	deposit(acc-1, 250, id=c2)
//
// Empty lines and those that begin with # are passed over; a text that holds a comma or a parenthesis is quoted as in Go.
func ParseCalls(text string) ([]Call, error) {
	var calls []Call
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		call, err := parseCall(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		calls = append(calls, call)
	}
	return calls, nil
}

func parseCall(line string) (Call, error) {
	verb, rest, found := strings.Cut(line, "(")
	if !found || !strings.HasSuffix(rest, ")") || verb == "" || strings.ContainsAny(verb, " \t\",)") {
		return Call{}, fmt.Errorf("%q is no call; write verb(argument, name=value)", line)
	}
	call := Call{Verb: verb, Named: map[string]string{}}
	rest = rest[:len(rest)-1]
	for first := true; ; first = false {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			if !first {
				return Call{}, fmt.Errorf("%q: an argument is missing after a comma", line)
			}
			return call, nil
		}
		name, value, after, err := argument(rest)
		if err != nil {
			return Call{}, fmt.Errorf("%q: %w", line, err)
		}
		if name == "" {
			call.Args = append(call.Args, value)
		} else if _, twice := call.Named[name]; twice {
			return Call{}, fmt.Errorf("%q: %s is given twice", line, name)
		} else {
			call.Named[name] = value
		}
		if after == "" {
			return call, nil
		}
		rest = after[1:]
	}
}

// argument takes one argument off the front; after is empty or begins with the comma that ends it.
func argument(s string) (name, value, after string, err error) {
	if end := strings.IndexAny(s, `=,"()`); end > 0 && s[end] == '=' {
		name, s = strings.TrimSpace(s[:end]), s[end+1:]
	}
	if quoted, quoteErr := strconv.QuotedPrefix(s); quoteErr == nil {
		value, err = strconv.Unquote(quoted)
		after = strings.TrimLeft(s[len(quoted):], " \t")
	} else if end := strings.IndexByte(s, ','); end >= 0 {
		value, after = strings.TrimSpace(s[:end]), s[end:]
	} else {
		value = strings.TrimSpace(s)
	}
	switch {
	case err != nil:
		return "", "", "", err
	case after != "" && after[0] != ',':
		return "", "", "", fmt.Errorf("a comma is missing before %q", after)
	}
	return name, value, after, nil
}

// String writes the call as [ParseCalls] reads it, named arguments left out.
func (c Call) String() string { return c.Verb + "(" + strings.Join(c.Args, ", ") + ")" }
