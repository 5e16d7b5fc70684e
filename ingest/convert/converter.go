package convert

import (
	"context"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Definitions finds the histogram definitions of a revision; *revisions.Cache is
// one. Errors that wrap revisions.ErrNotFound or revisions.ErrBadDefinitions are
// about the revision, all others mean: ask again later.
type Definitions interface {
	Spec(context.Context, revisions.Ref) (*revisions.Spec, error)
}

// Options configure a Converter. Start from DefaultOptions.
type Options struct {
	// MaxUnpacked bounds an unpacked body in bytes.
	MaxUnpacked int
	// RevisionHosts are the hosts that a revision URL may name; none: any.
	// Definitions come from the configured server whatever the URL says.
	RevisionHosts []string
	// Schema decides whether the dimensions of URL and payload differ.
	Schema *schema.Schema
	// Countries finds the country of an address in a v2 raw log; nil: it is not
	// looked up. The country that a v3 log carries is taken over anyway.
	Countries *Countries
	// Fallback finds the revision of pings with histograms but without
	// info.revision; nil: they are refused. A record whose revision was found so
	// has it as info.revision, and how as info.revisionFallback.
	Fallback Fallback
}

// DefaultOptions returns the limits and hosts of a public server.
func DefaultOptions() Options {
	return Options{
		MaxUnpacked:   16 << 20,
		RevisionHosts: []string{revisions.DefaultHost},
		Schema:        schema.Default(),
	}
}

// Record is a converted submission. Its bytes are valid until the Converter's
// next call.
type Record struct {
	ID []byte
	// JSON is the ping with converted histograms: keys in the ping's order,
	// everything else as it was spelled, on one line.
	JSON []byte
	// Dims are as the payload has them, "UNKNOWN" where it has none, not yet
	// judged by the schema.
	Dims schema.Dims
	// Mismatched has bit i set when dimension i of the URL lies in another
	// partition than the payload's, which counts.
	Mismatched uint8
	RawBytes   int // length of the submitted JSON
}

// Converter turns submissions into records. Text that is not about histograms
// is copied, never decoded and spelled again. It belongs to one goroutine.
//
// How a ping is converted:
//
//  1. Unpack; what is not UTF-8 becomes U+FFFD; whitespace between tokens goes if
//     there are line ends in it.
//  2. Walk the members of the top level (and, in a unified ping, of payload) and
//     note where they lie. Everything is checked but the histograms, which are
//     only skipped.
//  3. Tell the format by ver or version, take the revision and the dimensions
//     from info.
//  4. Copy the members, one by one; check and rewrite the histograms on the way.
type Converter struct {
	// Dropped counts the histograms that were left out of records, by why and
	// name. The owner may read it between calls, and clear it.
	Dropped DropCounts

	defs    Definitions
	o       Options
	specs   map[string]*revisions.Spec // by URL, of those used last
	body    unpacker
	top     object
	info    object
	inner   object  // the payload of a unified ping
	fields  []field // of an info that the ping did not have
	filled  []field // that info gets in addition, by Fallback
	ahead   ahead
	hist    histogramScratch
	dropped []Drop   // from the record in hand
	names   interner // of dropped histograms
	dims    interner
	out     []byte
	id      []byte
	located []byte // a record with its country
	url     []byte // of the revision in hand
}

// New returns a Converter that asks defs.
func New(defs Definitions, o Options) *Converter {
	return &Converter{defs: defs, o: o, Dropped: DropCounts{}, dims: interner{}, names: interner{}, specs: map[string]*revisions.Spec{}}
}

// Sibling returns a Converter that asks and answers like c, for another goroutine.
func (c *Converter) Sibling() *Converter { return New(c.defs, c.o) }

// Convert converts a submission; it fills in the Country if that is to be looked
// up. The error is a *Rejection for bad data, an *Outage
// when its definitions cannot be had now; any other (the context ended) says
// nothing about the submission. A panic costs one submission, which is kept as
// bad, and not the server, which would meet it again after each start.
func (c *Converter) Convert(ctx context.Context, s *rawlog.Submission) (r Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			fresh := c.Sibling() // what c holds may be half done
			fresh.Dropped = c.Dropped
			*c = *fresh
			r, err = Record{}, reject(ClassConversion, fmt.Sprintf("panic, a bug of the converter: %v", p))
		}
	}()
	return c.convert(ctx, s)
}

func (c *Converter) convert(ctx context.Context, s *rawlog.Submission) (Record, error) {
	text, err := c.body.unpack(s.Body, c.o.MaxUnpacked)
	if err != nil {
		return Record{}, err
	}
	id, claimed, err := splitPath(s.Path)
	if err != nil {
		return Record{}, err
	}
	if s.Country == "" && s.Address != "" && c.o.Countries != nil {
		s.Country = c.o.Countries.OfList(s.Address)
	}
	r, err := c.ConvertJSON(ctx, text, s.Time.UTC().Format("20060102"))
	if err != nil {
		return Record{}, err
	}
	if len(s.Country) == 2 {
		c.located = appendWithCountry(c.located[:0], r.JSON, s.Country)
		r.JSON = c.located
	}
	c.id = append(c.id[:0], id...)
	r.ID, r.RawBytes = c.id, len(text)
	if claimed != (schema.Dims{}) {
		claimed[schema.SubmissionDate] = r.Dims[schema.SubmissionDate]
		r.Mismatched = c.mismatched(claimed, r.Dims)
	}
	return r, nil
}

// ConvertLine is Convert for a document ID and a ping that is not packed; date is
// YYYYMMDD. Errors are as Convert's.
func (c *Converter) ConvertLine(ctx context.Context, id, text []byte, date string) (Record, error) {
	if err := checkID(string(id)); err != nil {
		return Record{}, err
	}
	if len(text) == 0 {
		return Record{}, reject(ClassEmpty, "Found empty data")
	}
	r, err := c.ConvertJSON(ctx, text, date)
	c.id = append(c.id[:0], id...)
	r.ID, r.RawBytes = c.id, len(text)
	return r, err
}

// ConvertJSON converts a ping that is not packed; date is YYYYMMDD. The Record
// has no ID. Errors are as Convert's.
func (c *Converter) ConvertJSON(ctx context.Context, text []byte, date string) (Record, error) {
	text = c.body.tidy(text)
	i := jsonscan.Space(text, 0)
	if i < len(text) && text[i] != '{' {
		if err := jsonscan.Valid(text); err != nil {
			return Record{}, badJSON(err)
		}
		return Record{}, badConversion("Missing payload version")
	}
	c.lookAhead(text)
	c.dropped = c.dropped[:0]
	end, err := c.top.index(text, i, &c.ahead, "histograms", "payload")
	if err != nil || jsonscan.Space(text, end) < len(text) {
		return Record{}, badJSON(jsonscan.Valid(text)) // the first thing that is wrong
	}
	c.top.supersede()
	r, err := c.payload(ctx, text, i, end)
	if _, ok := errors.AsType[*Rejection](err); ok {
		// The histograms have not been checked to their end. A text that is not
		// JSON is that first of all.
		if err := jsonscan.Valid(text); err != nil {
			return Record{}, badJSON(err)
		}
	}
	if err == nil {
		for _, d := range c.dropped {
			c.Dropped.add(d)
		}
	}
	r.Dims[schema.SubmissionDate] = date
	return r, err
}

// spec returns the definitions for a revision URL. What the server does not
// have is the ping's fault, but not what cannot be asked for.
func (c *Converter) spec(ctx context.Context, url []byte) (*revisions.Spec, error) {
	if s := c.specs[string(url)]; s != nil {
		return s, nil
	}
	u := string(url)
	ref, err := revisions.ParseURL(u, c.o.RevisionHosts...)
	if err != nil {
		return nil, badConversion(err.Error())
	}
	s, err := c.defs.Spec(ctx, ref)
	switch {
	case errors.Is(err, revisions.ErrNotFound), errors.Is(err, revisions.ErrBadDefinitions):
		return nil, badConversion("Failed to fetch histograms for URL: " + u)
	case err != nil:
		return nil, &Outage{URL: u, Err: err}
	}
	if len(c.specs) >= maxConverterSpecs {
		clear(c.specs)
	}
	c.specs[u] = s
	return s, nil
}

// maxRecord bounds a converted ping in bytes. Repeated histograms could make one
// a thousand times as long as it was.
const maxRecord = 32 << 20

// maxConverterSpecs bounds the definitions that a Converter keeps at hand.
const maxConverterSpecs = 64
