package main

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// maxCatalogRevisions bounds the revisions whose definitions are read, the most frequent
// ones of the records.
const maxCatalogRevisions = 20

// catalog is what the definitions of the records' revisions say about histograms.
type catalog map[string]catalogEntry

// catalogEntry is what is said about one histogram.
type catalogEntry struct {
	definition        *revisions.Definition // nil: it has no definition that can be used
	description, unit string
}

// revisionOf returns the revision's URL that a record's ping has, or "".
func revisionOf(ping []byte) string {
	members := jsonscan.Members(ping, 0)
	for members.Next() {
		if !jsonscan.Is(members.Key, "info") {
			continue
		}

		info := jsonscan.Members(ping, members.Start)
		for info.Next() {
			if value := info.Value(); jsonscan.Is(info.Key, "revision") && len(value) > 2 && value[0] == '"' {
				return string(jsonscan.Unquote(value[1 : len(value)-1]))
			}
		}
	}
	return ""
}

// newCatalog reads the definitions of the revisions that cache has. counts has the records
// of each revision by URL: of several definitions of a histogram the most frequent counts.
func newCatalog(ctx context.Context, cache *revisions.Cache, counts map[string]int64) catalog {
	found := catalog{}
	if cache == nil {
		return found
	}

	// The most frequent revisions come first, by name where they are equally frequent.
	urls := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})

	for _, url := range urls[:min(len(urls), maxCatalogRevisions)] {
		ref, err := revisions.ParseURL(url)
		if err != nil {
			continue // a client may send anything
		}
		if spec, err := cache.Spec(ctx, ref); err == nil {
			found.add(cache, ref, spec)
		}
	}
	return found
}

// add adds the definitions of a revision.
func (c catalog) add(cache *revisions.Cache, ref revisions.Ref, spec *revisions.Spec) {
	// The text has what conversion does not need.
	var texts map[string]struct {
		Description string `json:"description"`
		Units       string `json:"units"`
	}
	text, err := cache.Text(ref)
	if err == nil {
		json.Unmarshal(text, &texts) // members of other types are left out
	}

	for definition := range spec.Definitions() {
		if _, known := c[definition.Name]; known {
			continue
		}

		entry := catalogEntry{description: texts[definition.Name].Description, unit: texts[definition.Name].Units}
		if definition.Err == nil {
			entry.definition = definition
		}

		if entry.unit == "" {
			entry.unit = unitIn(entry.description)
		}
		c[definition.Name] = entry
	}
}

// units are the units that descriptions have in brackets, as "(ms)", where definitions have
// no unit of their own.
var units = []string{"ms", "milliseconds", "us", "microseconds", "s", "seconds", "minutes", "days", "bytes", "KB", "MB", "KiB", "MiB", "%", "percent", "per mille"}

// unitIn returns the unit in a description, or "".
func unitIn(description string) string {
	for _, unit := range units {
		if strings.Contains(description, "("+unit+")") || strings.Contains(description, "(in "+unit+")") {
			return unit
		}
	}
	return ""
}
