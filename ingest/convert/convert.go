package convert

import (
	"context"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/convert/schemas"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Options configure a Converter. Start from DefaultOptions.
type Options struct {
	// MaxUnpacked bounds an unpacked body in bytes.
	MaxUnpacked int
	// RevisionHosts are the hosts that a revision URL may name; none: any.
	// Definitions come from the configured server whatever the URL says.
	RevisionHosts []string
	// Schema decides whether the dimensions of URL and payload differ.
	Schema *schema.Schema
	// Deletions are the kinds of deletion requests; nil: there are none.
	Deletions *forget.Table
	// Countries finds the country of an address in a v2 raw log; nil: it is not
	// looked up. The country that a v3 log carries is copied anyway.
	Countries *Countries
	// Turns lets one large ping be converted at a time; nil: any number.
	Turns *Turns
	// Fallback finds the revision of pings with histograms but without
	// info.revision; nil: they are rejected. A record whose revision was found so
	// has it as info.revision, and how as info.revisionFallback.
	Fallback Fallback
	// Schemas checks pings against JSON Schemas; nil: they are not checked.
	Schemas *schemas.Checker
}

// DefaultOptions returns the limits and hosts of a public server.
func DefaultOptions() Options {
	return Options{
		MaxUnpacked:   16 << 20,
		RevisionHosts: []string{revisions.DefaultHost},
		Schema:        schema.Default(),
		Deletions:     forget.DefaultTable(),
	}
}

// Record is a converted submission. Its bytes are valid until the Converter's
// next call.
type Record struct {
	ID []byte
	// JSON is the ping with converted histograms: keys in the ping's order,
	// everything else as it was spelled, on one line.
	JSON []byte
	// Dims are as the payload has them, "UNKNOWN" where it has none. The schema has
	// not been applied.
	Dims schema.Dims
	// Mismatched has bit i set when dimension i of the URL lies in another
	// partition than the payload's, which counts.
	Mismatched uint8
	RawBytes   int // length of the submitted JSON
	// TextSum stands for the submitted JSON, however it was packed: its CRC-32 and length.
	// It tells apart what was submitted under one document ID.
	TextSum [8]byte
	Subject
}

// Subject is whom a submission is about.
type Subject struct {
	// Clients are the IDs that the record has of its client. They are valid as long as it.
	Clients []forget.ID
	// Namespace is that of the path.
	Namespace string
	// Forget are the clients that are to be forgotten, if it is a deletion request. The
	// record does not have their IDs.
	Forget []forget.Request
}

// DocumentName returns what names the document of a submission among those of all
// namespaces: the namespace of its path, and its ID.
func DocumentName(path string, id []byte) []byte {
	namespace := schema.TelemetryNamespace
	if submitted, ok := schema.ParseSubmissionPath(path); ok {
		namespace = submitted.Namespace
	}
	return append(append(make([]byte, 0, len(namespace)+1+len(id)), namespace+"/"...), id...)
}

// Converter turns submissions into records. Text that is not about histograms
// is copied, never decoded and spelled again. It belongs to one goroutine.
type Converter struct {
	// Dropped counts the histograms that were left out of records, by reason and
	// name. The owner may read it between calls, and clear it.
	Dropped histogram.DropCounts
	// BeforeLarge is called before a large ping waits for its turn; nil: nothing is. Its
	// error is returned. NoWait makes ErrBusy of the waiting.
	BeforeLarge func() error
	NoWait      bool
	// CheckAll checks all pings against schemas, whatever the sample, and does not count
	// them. FailedPlaces are where the last one fails.
	CheckAll     bool
	FailedPlaces []schemas.Place

	source  Definitions
	options Options

	// One field for each step, with the memory that it uses again.
	unpacker unpacker
	document document
	plan     plan
	resolver resolver
	writer   writer
	values   jsonscan.Interner // of dimensions

	// Of the Record returned last:
	id      []byte
	clients []forget.ID
	located []byte // its JSON with a country
	large   bool   // it has a turn
}

// New returns a Converter that fetches definitions from source.
func New(source Definitions, options Options) *Converter {
	resolver, sieve := newResolver(source, options), histogram.NewSieve()
	return &Converter{
		Dropped:  histogram.DropCounts{},
		source:   source,
		options:  options,
		document: document{sieve: sieve, atHand: resolver.atHand},
		resolver: resolver,
		writer:   writer{rewriter: histogram.NewRewriter(), sieve: sieve},
		values:   jsonscan.Interner{},
	}
}

// Sibling returns a Converter with the same source and options, for another
// goroutine.
func (c *Converter) Sibling() *Converter { return New(c.source, c.options) }

// Convert converts a submission; it sets the Country if that is to be looked
// up. The error is a *Rejection for bad data, an *Outage when its definitions are
// not available now; any other (the context ended, ErrBusy) says nothing about the
// submission. A panic costs one submission, which is quarantined, and not the
// server, which would meet it again after each start.
func (c *Converter) Convert(ctx context.Context, s *rawlog.Submission) (Record, error) {
	c.Release()
	c.FailedPlaces = nil
	r, err := c.convertSubmission(ctx, s)
	if err != errLarge {
		return r, err
	}

	// From its start again, when it is its turn.
	if err := c.takeTurn(ctx); err != nil {
		return Record{}, err
	}
	return c.convertSubmission(ctx, s)
}

// convertSubmission is Convert, which returns errLarge for a large ping without a turn.
func (c *Converter) convertSubmission(ctx context.Context, s *rawlog.Submission) (r Record, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			fresh := c.Sibling() // because what c holds may be half done
			fresh.Dropped = c.Dropped
			fresh.BeforeLarge, fresh.NoWait, fresh.large = c.BeforeLarge, c.NoWait, c.large
			fresh.CheckAll = c.CheckAll
			*c = *fresh
			r, err = Record{}, reject(ClassConversion, fmt.Sprintf("panic, a bug of the converter: %v", bug))
		}
	}()

	// The order decides what a submission with several faults is rejected for.
	if bodyBytes, _, ok := rawlog.ParseTooLarge(s.Path); ok {
		return Record{}, tooLarge(bodyBytes, len(s.Body))
	}
	text, err := c.unpacker.unpack(s.Body, c.maxUnpacked())
	if c.waits() && (err == errTooLong || len(text) > maxSmallText) {
		return Record{}, errLarge
	}
	if err == errTooLong {
		err = unpacksTooLong(c.options.MaxUnpacked)
	}
	from := &received{submission: s}
	if coding := from.foreignCoding(); err != nil && coding != "" && isZlib(s.Body) {
		err = foreignCoding(coding)
	}
	if err != nil {
		return Record{}, err
	}
	path, err := parsePath(s.Path)
	if err != nil {
		return Record{}, err
	}
	c.options.Locate(s)

	from.path = path
	r, err = c.convertText(ctx, text, schema.DateOf(s.Time), from)
	if err != nil {
		return Record{}, err
	}
	c.setSubject(&r, from)
	if err := c.checkSchema(from, &r); err != nil {
		return Record{}, err
	}

	// Add what the ping does not say by itself.
	if len(s.Country) == 2 {
		c.located = appendWithCountry(c.located[:0], r.JSON, s.Country)
		r.JSON = c.located
	}
	if c.plan.metadata {
		c.located = append(c.located[:0], r.JSON...)
		c.located = c.appendMetadata(c.located, from, &r.Dims)
		r.JSON = c.located
	}
	c.id = append(c.id[:0], path.ID...)
	r.ID, r.RawBytes = c.id, len(text)
	r.TextSum = textSum(s.Body, text)

	if claimed := path.Claimed; claimed != (schema.Dims{}) && !path.Generic() {
		claimed[schema.SubmissionDate] = r.Dims[schema.SubmissionDate]
		r.Mismatched = mismatched(c.options.Schema, claimed, r.Dims)
	}
	return r, nil
}

// ConvertLine is Convert for a document ID and a ping that is not packed. Errors are
// as Convert's.
func (c *Converter) ConvertLine(ctx context.Context, id, text []byte, date schema.Date) (Record, error) {
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

// ConvertJSON converts a ping that is not packed. The Record has no ID. Errors are
// as Convert's.
func (c *Converter) ConvertJSON(ctx context.Context, text []byte, date schema.Date) (Record, error) {
	return c.convertText(ctx, text, date, nil)
}

// convertText is ConvertJSON for a ping of which more is known; from may be nil.
func (c *Converter) convertText(ctx context.Context, text []byte, date schema.Date, from *received) (Record, error) {
	text = c.unpacker.tidy(text)
	r, err := c.convert(ctx, text, from)
	if _, rejected := errors.AsType[*Rejection](err); rejected {
		// The text has not been checked to its end. If it is not JSON, that is what
		// it is rejected for, whatever else is wrong.
		if syntax := jsonscan.Valid(text); syntax != nil {
			err = notJSON(syntax)
			if coding := from.foreignCoding(); coding != "" {
				err = foreignCoding(coding)
			}
		}
	}
	r.Dims[schema.SubmissionDate] = string(date)
	return r, err
}

// convert is the flow of doc.go, from the text of a ping on.
func (c *Converter) convert(ctx context.Context, text []byte, from *received) (Record, error) {
	c.writer.rewriter.MaxRecordBytes = histogram.MaxRecordBytes
	if c.waits() {
		c.writer.rewriter.MaxRecordBytes = maxSmallRecord
	}

	// Index it. Histograms of a known revision are rewritten on the way.
	c.writer.ahead.start = 0
	c.writer.sieve.Begin(nil)
	if !from.isApplication() {
		c.writer.ahead.guess(text, c.resolver.known, c.writer.rewriter)
	}
	if err := c.document.index(text, &c.writer.ahead, from.isApplication()); err != nil {
		return Record{}, err
	}

	if err := c.makePlan(from); err != nil {
		return Record{}, err
	}

	// Write it by the definitions of its revision.
	found, err := c.resolver.resolve(ctx, &c.plan.revision)
	if err != nil {
		return Record{}, err
	}
	json, err := c.writer.write(&c.document, &c.plan, &found)
	if err == errTooLongRecord && c.waits() {
		return Record{}, errLarge
	}
	if err != nil {
		return Record{}, err
	}

	// Whatever else is wrong is found by now, so count what the record lacks.
	dims, err := c.plan.dimensions(c.values)
	if err != nil {
		return Record{}, err
	}

	for _, drop := range c.writer.dropped() {
		c.Dropped.Add(drop)
	}
	return Record{JSON: json, Dims: dims}, nil
}

// makePlan plans the record of the indexed ping. The error is a *Rejection.
func (c *Converter) makePlan(from *received) error {
	c.plan.reset()
	if from.isApplication() {
		c.plan.metadata = true
		planDocument(&c.document, &c.plan, &from.path)
		return nil
	}

	// Classic pings become what the predecessor made of them, to the byte.
	isClassic := c.document.top.Find(verMember) != nil
	c.plan.metadata = from.keepsUnknown() && !isClassic

	// The version of the payload decides.
	format, err := formatOf(&c.document)
	if err == nil {
		err = format(&c.document, &c.plan)
	}
	if err == nil || !c.plan.metadata {
		return err
	}

	// It is well-formed, as far as it was checked, but not as it should be: nothing is
	// lost if it is stored as it is.
	c.plan.reset()
	c.plan.metadata = true
	planDocument(&c.document, &c.plan, &from.path)
	return nil
}
