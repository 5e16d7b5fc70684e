package convert

import (
	"context"
	"errors"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Definitions finds the histogram definitions of a revision; *revisions.Cache is
// one. Errors that wrap revisions.ErrNotFound or revisions.ErrBadDefinitions are
// about the revision; after any other the same call may succeed later.
type Definitions interface {
	Spec(context.Context, revisions.Ref) (*revisions.Spec, error)
	// AtHand returns the definitions that need not be fetched, nil if there are none.
	AtHand(revisions.Ref) *revisions.Spec
}

// Fallback finds the revision of a ping that does not name one;
// *revisions.Cache is one. Its arguments are as the ping has them, "UNKNOWN" for
// what is missing. The result by is a short word for how the revision was found,
// which goes into the record.
type Fallback interface {
	FindRevision(channel, buildID, version string) (ref revisions.Ref, by string, ok bool)
}

// fallbackMark is the member of info that says by what info.revision was found
// for a ping that did not have one.
const fallbackMark = "revisionFallback"

// maxKnownSpecs bounds the definitions that a resolver has at hand.
const maxKnownSpecs = 64

// definitions are the definitions of a revision. spec is nil if none are needed.
type definitions struct {
	spec *revisions.Spec
	url  []byte // of the revision
	by   string // by what the revision was found, for a ping that does not name it
}

// resolver finds the definitions that a plan needs.
type resolver struct {
	source   Definitions
	fallback Fallback // or nil
	hosts    []string
	known    map[string]*revisions.Spec // by URL, of those used last
	atHand   map[string]*revisions.Spec // the same of those that are only wanted; nil for missing ones
}

func newResolver(source Definitions, o Options) resolver {
	return resolver{source: source, fallback: o.Fallback, hosts: o.RevisionHosts, known: map[string]*revisions.Spec{}, atHand: map[string]*revisions.Spec{}}
}

// resolve returns the definitions that are needed. The error is a *Rejection or an
// *Outage.
func (r *resolver) resolve(ctx context.Context, need *revisionNeed) (found definitions, err error) {
	switch {
	case need.wanted:
		return definitions{spec: r.specAtHand(need.url), url: need.url}, nil
	case !need.needed:
		return definitions{}, nil
	}

	found.url = need.url
	if need.unnamed() {
		ref, by, ok := r.findRevision(need)
		if !ok {
			return definitions{}, reject(ClassMissingRevision, "Missing in payload: info.revision")
		}
		found.url, found.by = []byte(ref.URL()), by
	}
	found.spec, err = r.spec(ctx, found.url)
	return found, err
}

// findRevision finds the revision of a ping that does not name one.
func (r *resolver) findRevision(need *revisionNeed) (ref revisions.Ref, by string, ok bool) {
	if r.fallback == nil {
		return ref, "", false
	}

	text := func(value []byte) string {
		s, ok := dimensionText(jsonscan.Interner{}, value)
		if !ok {
			return schema.Unknown // the ping is rejected when its dimensions are read
		}
		return s
	}
	return r.fallback.FindRevision(text(need.channel), text(need.buildID), text(need.version))
}

// specAtHand returns the definitions for a revision URL if they need not be fetched, else
// nil.
func (r *resolver) specAtHand(revisionURL []byte) *revisions.Spec {
	if spec, ok := r.atHand[string(revisionURL)]; ok {
		return spec
	}

	// One that is missing is looked up again by the next Converter, for the next raw log.
	url := string(revisionURL)
	var spec *revisions.Spec
	if ref, err := revisions.ParseURL(url, r.hosts...); err == nil {
		spec = r.source.AtHand(ref)
	}
	if len(r.atHand) >= maxKnownSpecs {
		clear(r.atHand)
	}
	r.atHand[url] = spec
	return spec
}

// spec returns the definitions for a revision URL. A revision that the server does
// not have is the ping's fault. An answer that it cannot give now is not.
func (r *resolver) spec(ctx context.Context, revisionURL []byte) (*revisions.Spec, error) {
	if s := r.known[string(revisionURL)]; s != nil {
		return s, nil
	}

	// Parse the URL, which may name anything.
	url := string(revisionURL)
	ref, err := revisions.ParseURL(url, r.hosts...)
	if err != nil {
		return nil, rejectURL(err)
	}

	s, err := r.source.Spec(ctx, ref)
	switch {
	case errors.Is(err, revisions.ErrNotFound), errors.Is(err, revisions.ErrBadDefinitions):
		return nil, reject(ClassConversion, failedToFetch(url))
	case err != nil:
		return nil, &Outage{URL: url, Err: err}
	}

	// Pings of a day have few revisions: starting anew is enough to bound them.
	if len(r.known) >= maxKnownSpecs {
		clear(r.known)
	}
	r.known[url] = s
	return s, nil
}
