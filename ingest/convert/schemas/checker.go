package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// MaxPlaces bounds the places of one ping that are returned.
const MaxPlaces = 100

// Place is one that fails.
type Place struct {
	Pointer string `json:"pointer"` // a JSON pointer into the ping; "" is the whole
	Keyword string `json:"keyword"` // of the schema
}

func (p Place) String() string {
	return fmt.Sprintf("%.200q fails %q", p.Pointer, p.Keyword)
}

// Subject names the schema of a ping.
type Subject struct {
	Namespace, Type, Version string
	// IsGlean says that a client which is Glean sent it.
	IsGlean bool
}

// Checker checks pings against the schemas of a folder. It is safe for concurrent use.
type Checker struct {
	// Quarantine says that pings which fail are quarantined; else they are counted.
	Quarantine bool
	// Sample is the share of document IDs that are checked, of 10000.
	Sample uint32
	// Of the pings that Count was called for.
	Valid, Invalid, Unknown atomic.Int64

	dir     string
	current atomic.Pointer[pool]
}

// pool has the schemas of a folder once for each core, because a set is for one check at a
// time. Those that are nil are compiled when they are needed first.
type pool struct {
	folder folder
	sets   chan *set
}

// Load returns a Checker of all document IDs with the schemas of a folder. The error names
// the file that does not compile.
func Load(dir string) (*Checker, error) {
	c := &Checker{dir: dir, Sample: 10000}
	return c, c.Reload()
}

// Reload compiles the schemas again. After an error those of before stay in use.
func (c *Checker) Reload() error {
	documents, err := read(c.dir)
	if err != nil {
		return fmt.Errorf("schemas: %w", err)
	}
	first, err := documents.compile()
	if err != nil {
		return fmt.Errorf("schemas: %w", err)
	}

	cores := runtime.GOMAXPROCS(0)
	loaded := &pool{documents, make(chan *set, cores)}
	loaded.sets <- first
	for range cores - 1 {
		loaded.sets <- nil
	}
	c.current.Store(loaded)
	return nil
}

// with calls use with a set that no other check uses.
func (p *pool) with(use func(*set)) {
	schemas := <-p.sets
	defer func() { p.sets <- schemas }()
	if schemas == nil {
		compiled, err := p.folder.compile()
		if err != nil {
			panic(err) // the same documents were compiled before
		}
		schemas = compiled
	}
	use(schemas)
}

// Sampled says whether pings with a document ID are checked. It says the same each time.
func (c *Checker) Sampled(id string) bool {
	return crc32.ChecksumIEEE([]byte(id))%10000 < c.Sample
}

// Count counts a ping that was checked.
func (c *Checker) Count(known bool, places []Place) {
	switch {
	case !known:
		c.Unknown.Add(1)
	case len(places) > 0:
		c.Invalid.Add(1)
	default:
		c.Valid.Add(1)
	}
}

// Check validates the text of a ping, which is JSON, and returns the places that fail, at
// most MaxPlaces, and how many there are. It is not known if it has no schema.
func (c *Checker) Check(subject Subject, text []byte) (places []Place, all int, known bool) {
	c.current.Load().with(func(schemas *set) {
		of, ok := schemas.find(subject, text)
		if ok {
			places, known = schemas.check(of, text), true
		}
	})
	return places[:min(len(places), MaxPlaces)], len(places), known
}

// check returns all places that fail, sorted.
func (s *set) check(of *jsonschema.Schema, text []byte) []Place {
	if bytes.Count(text, []byte{','}) > maxElements {
		return []Place{{Keyword: "limit"}}
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []Place{{Keyword: "json"}}
	}
	// Numbers are computed with exactly, which the longest ones must not be.
	if pointer, ok := hugeNumber(document); ok {
		return []Place{{Pointer: pointer, Keyword: "number"}}
	}

	err, ok := s.budget.validate(of, document)
	if !ok {
		return []Place{{Keyword: "limit"}}
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil
	}

	places := appendPlaces(nil, failed)
	slices.SortFunc(places, func(a, b Place) int {
		return strings.Compare(a.Pointer+"\x00"+a.Keyword, b.Pointer+"\x00"+b.Keyword)
	})
	return slices.Compact(places)
}

// find returns the schema of a ping. Those of Glean have one for all applications and
// types, and another one if they have no ping_info.
func (s *set) find(subject Subject, text []byte) (*jsonschema.Schema, bool) {
	own, ok := s.schemas[subject.Namespace+"/"+subject.Type+"/"+subject.Version]
	if ok || subject.Namespace == schema.TelemetryNamespace {
		return own, ok
	}

	// What it says itself counts first: a beacon does not name its client.
	var form struct {
		PingInfo json.RawMessage `json:"ping_info"`
	}
	if json.Unmarshal(text, &form) != nil || form.PingInfo == nil && !subject.IsGlean {
		return nil, false
	}
	kind := "glean"
	if form.PingInfo == nil {
		kind = "glean-min"
	}
	glean, ok := s.schemas["glean/"+kind+"/"+subject.Version]
	return glean, ok
}

// appendPlaces appends the innermost places of an error: those that have no causes.
func appendPlaces(places []Place, failed *jsonschema.ValidationError) []Place {
	for _, cause := range failed.Causes {
		places = appendPlaces(places, cause)
	}
	if len(failed.Causes) > 0 {
		return places
	}

	keyword := "false"
	if words := failed.ErrorKind.KeywordPath(); len(words) > 0 {
		keyword = words[0]
	}
	if _, isFalse := failed.ErrorKind.(*kind.FalseSchema); isFalse {
		keyword = "false"
	}
	return append(places, Place{pointer(failed.InstanceLocation), keyword})
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the JSON pointer of names and indexes.
func pointer(names []string) string {
	var text strings.Builder
	for _, name := range names {
		text.WriteByte('/')
		escape.WriteString(&text, name)
	}
	return text.String()
}

// maxNumberBytes and maxExponent bound a number, which is more than a double can hold.
const (
	maxNumberBytes = 400
	maxExponent    = 400
)

// hugeNumber returns the place of a number beyond the bounds; of several, any's that is the
// same each time.
func hugeNumber(value any) (at string, found bool) {
	switch value := value.(type) {
	case json.Number:
		text := strings.ToLower(string(value))
		_, exponent, has := strings.Cut(text, "e")
		power, err := strconv.Atoi(exponent)
		return "", len(text) > maxNumberBytes || has && (err != nil || max(power, -power) > maxExponent)
	case []any:
		for i, element := range value {
			if inside, found := hugeNumber(element); found {
				return "/" + strconv.Itoa(i) + inside, true
			}
		}
	case map[string]any:
		for name, element := range value {
			inside, is := hugeNumber(element)
			inside = "/" + escape.Replace(name) + inside
			if is && (!found || inside < at) {
				at, found = inside, true
			}
		}
	}
	return at, found
}
