package value

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/revisions"
)

// ErrNoDefinitions is thrown by ping.histogram in a job without definitions.
var ErrNoDefinitions = errors.New("ping.histogram needs histogram definitions")

// layoutKey is the key of a cached layout.
type layoutKey struct{ url, name string }

// maxLayouts bounds the cached layouts: far more than a task's pings have.
const maxLayouts = 10_000

// pingLayout is ping.layout(name): kind, lowest and highest bound, such as
// "exponential 1 to 10000"; "unknown" where no definition is at hand. It throws when
// the server of definitions does not answer.
func (r *Runtime) pingLayout(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("layout is a method of the ping")
	}

	key := layoutKey{r.revision(ping), call.Argument(0).String()}
	if described := r.layouts[key]; described != nil {
		return described
	}

	described := r.rt.ToValue(r.layoutOf(key))
	if r.layouts == nil || len(r.layouts) == maxLayouts {
		r.layouts = map[layoutKey]goja.Value{}
	}
	r.layouts[key] = described
	return described
}

// layoutOf describes a histogram's bucketing.
func (r *Runtime) layoutOf(key layoutKey) string {
	def, err := r.definition(key.url, key.name)
	switch {
	case err == nil:
		return textOf(def)
	case errors.Is(err, revisions.ErrUnavailable) && !errors.Is(err, revisions.ErrOffline):
		// Another try may find it: "unknown" would depend on the day.
		r.Throw(err)
	}

	return unknownBucketing
}

// revision returns the URL of the ping's revision, "" if it has none.
func (r *Runtime) revision(ping *lazyObject) string {
	info, ok := ping.Get("info").(*goja.Object)
	if !ok {
		return ""
	}

	url := info.Get("revision")
	if url == nil {
		return ""
	}

	return url.String()
}

// definition finds a histogram in the definitions of a revision.
func (r *Runtime) definition(url, name string) (*revisions.Definition, error) {
	spec, err := r.spec(url)
	if err != nil {
		return nil, err
	}

	// A definition may be there but wrong, which is another message.
	def := spec.Lookup([]byte(name))
	if def == nil {
		return nil, fmt.Errorf("revision %s does not define histogram %s", url, name)
	}

	if err := def.Err; err != nil {
		return nil, fmt.Errorf("definition of histogram %s in revision %s: %w", name, url, err)
	}

	return def, nil
}

// spec finds the definitions of a revision. An error of whatever provides them is
// marked as ErrEngine.
func (r *Runtime) spec(url string) (*revisions.Spec, error) {
	if spec := r.specs[url]; spec != nil {
		return spec, nil
	}

	if r.definitions == nil {
		return nil, ErrNoDefinitions
	}

	spec, err := r.definitions(url)
	if _, ok := errors.AsType[*revisions.URLError](err); ok {
		return nil, err
	}
	if err != nil {
		r.missed = true
		return nil, fmt.Errorf("%w: definitions of revision %s: %w", ErrEngine, url, err)
	}

	if r.specs == nil {
		r.specs = map[string]*revisions.Spec{}
	}
	r.specs[url] = spec
	return spec, nil
}

// Missed reports whether definitions were not available: another run of the
// script may then have another result.
func (r *Runtime) Missed() bool { return r.missed }

// Found returns which definitions were found so far: the hexadecimal SHA-256 of their
// text by the URL of the revision, in a new map.
func (r *Runtime) Found() map[string]string {
	found := make(map[string]string, len(r.specs))
	for url, spec := range r.specs {
		sum := spec.Sum()
		found[url] = hex.EncodeToString(sum[:])
	}
	return found
}

// frozenBounds returns a definition's bounds as a frozen array, made once per runtime.
func (r *Runtime) frozenBounds(def *revisions.Definition) goja.Value {
	if frozen, ok := r.bounds[def]; ok {
		return frozen
	}

	// All histograms of a definition share the array, so it must not change.
	items := make([]any, 0, def.BucketCount)
	for _, bound := range def.Bounds() {
		items = append(items, bound)
	}

	frozen := r.freeze(r.rt.NewArray(items...))
	if r.bounds == nil {
		r.bounds = map[*revisions.Definition]goja.Value{}
	}
	r.bounds[def] = frozen
	return frozen
}
