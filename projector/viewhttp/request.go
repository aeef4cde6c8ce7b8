package viewhttp

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// The headers of requests and answers.
const (
	HeaderMinPosition = "Muster-Min-Position" // position tokens, separated by commas
	HeaderPosition    = "Muster-Position"     // likewise: up to where the answer was made
	HeaderView        = "Muster-View"         // name@version that answered
	HeaderStale       = "Muster-Stale"        // "true": a copy answered
	HeaderRouted      = "Muster-Routed"       // "1": answer with what this instance holds, and ask no other
	HeaderForm        = "Muster-Form"         // of the answer: "stored" where it is
)

const (
	maxLimit     = 1000
	defaultLimit = 100
	maxKey       = 4 << 10  // bytes of a key, a bound, a prefix, a token
	maxPositions = 256      // in one request
	maxShards    = 10_000   // likewise
	maxRequest   = 16 << 10 // bytes of the line and the headers of a request
)

// demand is a request, decoded.
type demand struct {
	query   projector.Query
	timeout time.Duration // 0: none given
	stored  bool          // rows in the form they are stored in, for the Go client
	raw     bool          // the bytes of one row and nothing else
}

// parameters by what is asked for. A misspelt one is refused: ignored, it would give other rows than those meant.
var (
	common  = []string{"min-position", "timeout", "stale", "shards", "form"}
	ofRows  = append([]string{"key", "prefix", "from", "to", "limit", "token", "reverse", "index", "index_key"}, common...)
	ofWatch = append([]string{"key", "prefix", "from", "to", "index", "index_key", "last-event-id"}, common...)
	ofWait  = []string{"min-position", "timeout"}
)

const (
	formStored = "stored"
	formJSON   = "json"
)

// demandOf decodes the parameters and headers of a request. Everything wrong is InvalidArgument.
func demandOf(r *http.Request, allowed []string) (demand, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return demand{}, badRequest("the query string cannot be decoded; encode keys and tokens for URLs")
	}
	for name, given := range values {
		if !slices.Contains(allowed, name) {
			return demand{}, badRequest("parameter %.40q is not known here; known are %s", name, strings.Join(allowed, ", "))
		}
		if len(given) > 1 && name != "min-position" {
			return demand{}, badRequest("parameter %q stands there twice; give it once", name)
		}
		for _, v := range given {
			if len(v) > maxKey && name != "min-position" && name != "last-event-id" && name != "shards" {
				return demand{}, badRequest("parameter %q has %d bytes; at most %d are taken", name, len(v), maxKey)
			}
		}
	}
	var d demand
	q := &d.query
	if q.View, q.Version, err = viewOf(r.PathValue("view")); err != nil {
		return demand{}, err
	}
	q.Prefix, q.From, q.To, q.Token = values.Get("prefix"), values.Get("from"), values.Get("to"), values.Get("token")
	q.Key, q.Index = values.Get("key"), values.Get("index")
	if err := d.choose(values); err != nil {
		return demand{}, err
	}
	if d.query.AtLeast, err = positionsOf(append(values["min-position"], r.Header.Values(HeaderMinPosition)...)); err != nil {
		return demand{}, err
	}
	return d, nil
}

// choose decodes the parameters that are no keys.
func (d *demand) choose(values url.Values) (err error) {
	q := &d.query
	for _, name := range []string{"key", "index_key"} {
		if values.Has(name) && values.Get(name) == "" {
			return badRequest("%s is empty; leave it out to read a range", name)
		}
	}
	if values.Has("index_key") {
		if q.Index == "" || values.Has("key") {
			return badRequest("index_key is the key in an index: name it with index, and give no key")
		}
		q.Key = values.Get("index_key")
	} else if q.Index != "" && q.Key != "" {
		return badRequest("with index, give the key as index_key or its beginning as prefix")
	}
	if q.Reverse, err = boolOf(values, "reverse"); err != nil {
		return err
	}
	if q.Stale, err = boolOf(values, "stale"); err != nil {
		return err
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return badRequest("limit is %.20q; choose 1 to %d", text, maxLimit)
		}
		q.Limit = n
	}
	if text := values.Get("timeout"); text != "" {
		d.timeout, err = time.ParseDuration(text)
		if err != nil || d.timeout <= 0 {
			return badRequest("timeout is %.20q; choose a time such as 500ms or 5s", text)
		}
	}
	switch form := values.Get("form"); form {
	case "", formJSON:
	case formStored:
		d.stored = true
	default:
		return badRequest("form is %.20q; choose %s or %s", form, formJSON, formStored)
	}
	q.Shards, err = shardsOf(values.Get("shards"))
	return err
}

// viewOf reads totals or totals@2.
func viewOf(text string) (name string, version int, err error) {
	name, number, has := strings.Cut(text, "@")
	if has {
		version, err = strconv.Atoi(number)
		if err != nil || version < 1 || strconv.Itoa(version) != number {
			return "", 0, badRequest("version %.20q of the view is no number from 1 on; ask for name@2, or for name alone and get the one that serves", number)
		}
	}
	if name == "" || len(name) > 100 {
		return "", 0, badRequest("a view has a name of 1 to 100 letters, digits, dots, dashes and underscores")
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return "", 0, badRequest("a view has a name of 1 to 100 letters, digits, dots, dashes and underscores")
		}
	}
	return name, version, nil
}

func boolOf(values url.Values, name string) (bool, error) {
	switch text := values.Get(name); text {
	case "", "false", "0":
		return values.Has(name) && text == "", nil // ?stale alone means it
	case "true", "1":
		return true, nil
	default:
		return false, badRequest("%s is %.20q; choose true or false", name, text)
	}
}

// positionsOf reads tokens, several in one text separated by commas.
func positionsOf(texts []string) ([]muster.Position, error) {
	var all []muster.Position
	for _, text := range texts {
		for token := range strings.SplitSeq(text, ",") {
			if token = strings.TrimSpace(token); token == "" {
				continue
			}
			p, err := muster.ParseToken(token)
			if err != nil {
				return nil, err
			}
			if all = append(all, p); len(all) > maxPositions {
				return nil, badRequest("more than %d positions; the last one of each partition is enough", maxPositions)
			}
		}
	}
	return all, nil
}

func shardsOf(text string) ([]int32, error) {
	if text == "" {
		return nil, nil
	}
	var all []int32
	for number := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < int64(projector.Whole) || len(all) == maxShards {
			return nil, badRequest("shards are numbers separated by commas")
		}
		all = append(all, int32(n))
	}
	return all, nil
}

// tokensOf is what positionsOf reads.
func tokensOf(positions []muster.Position) string {
	tokens := make([]string, len(positions))
	for i, p := range positions {
		tokens[i] = p.Token()
	}
	return strings.Join(tokens, ",")
}

// encode gives a query as parameters, for the client. Keys and prefixes may hold any bytes.
func encode(q projector.Query) url.Values {
	v := url.Values{}
	set := func(name, text string) {
		if text != "" {
			v.Set(name, text)
		}
	}
	if q.Index != "" {
		set("index_key", q.Key)
	} else {
		set("key", q.Key)
	}
	set("index", q.Index)
	set("prefix", q.Prefix)
	set("from", q.From)
	set("to", q.To)
	set("token", q.Token)
	set("min-position", tokensOf(q.AtLeast))
	if q.Reverse {
		v.Set("reverse", "true")
	}
	if q.Stale {
		v.Set("stale", "true")
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if len(q.Shards) > 0 {
		numbers := make([]string, len(q.Shards))
		for i, n := range q.Shards {
			numbers[i] = strconv.Itoa(int(n))
		}
		v.Set("shards", strings.Join(numbers, ","))
	}
	v.Set("form", formStored)
	return v
}

// pathOf gives where the view of a query is.
func pathOf(q projector.Query) string {
	if q.Version == 0 {
		return "/views/" + url.PathEscape(q.View)
	}
	return "/views/" + url.PathEscape(q.View) + "@" + strconv.Itoa(q.Version)
}
