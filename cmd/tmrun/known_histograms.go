package main

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/revisions"
)

// knownHistograms are the names in all definitions that are cached, as lint.Histograms.
type knownHistograms struct {
	ctx   context.Context
	cache *revisions.Cache
	refs  []revisions.Ref
}

// newKnownHistograms returns the names in a cache, nil if it has no definitions.
func newKnownHistograms(ctx context.Context, cache *revisions.Cache) *knownHistograms {
	if cache == nil {
		return nil
	}

	refs, err := cache.Cached()
	if err != nil || len(refs) == 0 {
		return nil
	}
	return &knownHistograms{ctx, cache, refs}
}

// Known implements lint.Histograms. A name that stands in one of the files counts, so that
// hundreds of them need not be parsed.
func (k *knownHistograms) Known(name string) (near string, ok bool) {
	quoted := []byte(`"` + strings.TrimPrefix(name, "STARTUP_") + `"`)

	for _, ref := range slices.Backward(k.refs) {
		text, err := k.cache.Text(ref)
		if err == nil && (bytes.Contains(text, quoted) || bytes.Contains(text, []byte(`"`+name+`"`))) {
			return "", true
		}
	}

	// One revision has most of the names.
	spec, err := k.cache.Spec(k.ctx, k.refs[len(k.refs)-1])
	if err != nil {
		return "", false
	}

	var names []string
	for definition := range spec.Definitions() {
		names = append(names, definition.Name)
	}
	return suggest.Nearest(name, names), false
}
