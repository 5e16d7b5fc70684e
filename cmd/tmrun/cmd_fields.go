package main

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// fieldsCmd lists the fields of records.
type fieldsCmd struct {
	lookFlags   `embed:""`
	sampleFlags `embed:""`
	Format      string `enum:"${formats}," default:"" placeholder:"F" help:"One of ${formats} (default: what the output file's ending says, else tsv)."`
}

// Help is the long help.
func (c *fieldsCmd) Help() string {
	return `Lists every path that the records read have, as a script writes it: its types, the
share of the records that have it, up to three examples, the first ones, and the unit,
where a histogram's definition says one. "[]" are the elements of a list, of which the
first ten are looked at. Histograms are lists of numbers; tmrun histograms says more.

Beyond 50,000 paths, those that come later are counted together as "…".

EXIT STATUS: 0 done; 1 failed; 2 usage; 3 no records are selected; 4 a segment is
damaged; 5 the filter failed; 6 a limit was hit; 130 interrupted.`
}

const (
	maxFieldPaths    = 50_000
	maxFieldExamples = 3
	maxExampleBytes  = 60
	maxListElements  = 10
	otherFields      = "…" // stands for the paths beyond maxFieldPaths
)

// fieldSeen is what is known of one path.
type fieldSeen struct {
	records  int64 // that have it
	last     int64 // the number of the last of them
	types    map[string]bool
	examples []string // JSON, different ones
}

// fieldsSeen is what one task has seen.
type fieldsSeen struct {
	records   int64
	paths     map[string]*fieldSeen
	revisions map[string]int64 // by URL
	path      []byte           // of the value in hand
}

func newFieldsSeen() *fieldsSeen {
	return &fieldsSeen{paths: map[string]*fieldSeen{}, revisions: map[string]int64{}}
}

// Run implements the command.
func (c *fieldsCmd) Run(ctx context.Context, st *cli.State) error {
	if err := c.validate(); err != nil {
		return err
	}

	s, err := c.open(ctx, st)
	if err != nil {
		return err
	}
	defer s.close()

	tasks, each := s.sampleTasks(c.most())
	total := newFieldsSeen()
	err = look(ctx, s, tasks, each, newFieldsSeen, (*fieldsSeen).add, total.merge)
	if err != nil {
		return explainError(st, err, c.DataDir)
	}
	return c.write(st, total, newCatalog(ctx, s.definitions, total.revisions))
}

// add looks at a record.
func (f *fieldsSeen) add(record seenRecord) error {
	f.records++
	f.revisions[revisionOf(record.json)]++

	f.path = append(f.path[:0], "ping"...)
	f.members(record.json, 0)
	return nil
}

// identifier is a name that a script can write behind a dot.
var identifier = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$]*$`)

// members looks at the members of the object at text[at].
func (f *fieldsSeen) members(text []byte, at int) {
	parent := len(f.path)
	members := jsonscan.Members(text, at)
	for members.Next() {
		// A name that is no identifier is written in brackets, as in a script.
		if name := members.Name(); identifier.Match(name) {
			f.path = append(append(f.path, '.'), name...)
		} else {
			f.path = append(strconv.AppendQuote(append(f.path, '['), string(name)), ']')
		}

		f.value(text, members.Start, members.End())
		f.path = f.path[:parent]
	}
}

// value looks at the value text[start:end].
func (f *fieldsSeen) value(text []byte, start, end int) {
	kind := typeOf(text[start])
	f.note(kind, text[start:end])

	switch kind {
	case "object":
		f.members(text, start)
	case "list":
		parent := len(f.path)
		f.path = append(f.path, "[]"...)

		// The first elements are enough to show the types of a list.
		elements := jsonscan.Elements(text, start)
		for n := 0; n < maxListElements && elements.Next(); n++ {
			f.value(text, elements.Start, elements.End())
		}
		f.path = f.path[:parent]
	}
}

// typeOf returns the type of a JSON value by its first byte.
func typeOf(first byte) string {
	switch first {
	case '{':
		return "object"
	case '[':
		return "list"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// note notes a value of the path in hand.
func (f *fieldsSeen) note(kind string, value []byte) {
	field := f.field(f.path)
	field.types[kind] = true

	// A list may have the path several times; the record counts once.
	if field.last != f.records {
		field.last = f.records
		field.records++
	}

	// Examples are short values, of which the first few differ.
	if kind != "object" && kind != "list" && len(field.examples) < maxFieldExamples && !slices.Contains(field.examples, string(value)) && len(value) <= maxExampleBytes {
		field.examples = append(field.examples, string(value))
	}
}

// field returns what is known of a path.
func (f *fieldsSeen) field(path []byte) *fieldSeen {
	if known := f.paths[string(path)]; known != nil {
		return known
	}

	// Beyond the bound all other paths are counted together.
	name := string(path)
	if len(f.paths) >= maxFieldPaths {
		name = otherFields
		if known := f.paths[name]; known != nil {
			return known
		}
	}

	made := &fieldSeen{types: map[string]bool{}}
	f.paths[name] = made
	return made
}

// merge adds what a later task has seen.
func (f *fieldsSeen) merge(later *fieldsSeen) {
	f.records += later.records
	addCounts(f.revisions, later.revisions)

	// In order, because the bound decides about the last ones.
	for _, path := range slices.Sorted(maps.Keys(later.paths)) {
		from := later.paths[path]
		field := f.field([]byte(path))
		field.records += from.records
		maps.Copy(field.types, from.types)

		for _, example := range from.examples {
			if len(field.examples) < maxFieldExamples && !slices.Contains(field.examples, example) {
				field.examples = append(field.examples, example)
			}
		}
	}
}

// write writes the list.
func (c *fieldsCmd) write(st *cli.State, total *fieldsSeen, known catalog) error {
	out, err := newTable(st, c.Output, c.Format, "path", "type", "share", "examples", "unit")
	if err != nil {
		return err
	}

	for _, path := range slices.Sorted(maps.Keys(total.paths)) {
		field := total.paths[path]
		unit := ""
		if name, ok := strings.CutPrefix(path, "ping.histograms."); ok {
			unit = known[strings.TrimPrefix(name, "STARTUP_")].unit
		}

		types := strings.Join(slices.Sorted(maps.Keys(field.types)), "|")
		err = out.add(path, types, share(field.records, total.records), strings.Join(field.examples, ", "), orNull(unit))
		if err != nil {
			break
		}
	}
	return out.close(err)
}
