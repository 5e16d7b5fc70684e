package script

import (
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/aitgithub/telemetry-server/engine/script/value"
)

// Fields are the fields of pings that scripts have read, over all tasks of a job, with
// whether any ping had them. Safe for concurrent use.
type Fields struct {
	mu   sync.Mutex // protects seen
	seen map[string]value.Seen
}

// Add adds what a task has noted, by path; a nil Fields drops it.
func (f *Fields) Add(seen map[string]value.Seen) {
	if f == nil || len(seen) == 0 {
		return
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]value.Seen{}
	}
	for path, one := range seen {
		f.seen[path] = f.seen[path].Add(one)
	}
}

// has says whether a task that has ended had a record with the field of a path.
func (f *Fields) has(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[path].Has
}

// All returns what was noted, by path, such as "info.OS".
func (f *Fields) All() map[string]value.Seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.seen)
}

// Missing is a field that scripts have read and no ping had.
type Missing struct {
	Path string // such as "info.OSS"
	Near string // the similar name of a member that stands in its place, or ""
}

// inherited are the members that objects have without their text.
var inherited = []string{
	"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "then", "toJSON", "toLocaleString", "toString", "valueOf",
}

// Missing returns the fields that no ping had, by path.
func (f *Fields) Missing() (missing []Missing) {
	all := f.All()
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if seen := all[path]; seen.Miss && !seen.Has {
			missing = append(missing, Missing{path, seen.Near})
		}
	}
	return missing
}

// identifiers finds the names in a script, and words in its texts and comments with them.
var identifiers = regexp.MustCompile(`[\p{L}_$][\p{L}\p{N}_$]*`)

// namesIn returns the names in the texts of source files that may be those of fields.
func namesIn(sources map[string]string) *value.FieldNames {
	names := map[string]bool{}
	for _, text := range sources {
		for _, name := range identifiers.FindAllString(text, -1) {
			names[name] = true
		}
	}

	for _, name := range inherited {
		delete(names, name)
	}
	return value.NewFieldNames(names)
}
