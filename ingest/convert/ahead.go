package convert

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/revisions"
)

// ahead is histograms that were rewritten before info was seen, by a guess at the
// revision. The histograms are most of a ping and stand before info, so that they
// would have to be skipped first to find info, and then be read again.
//
// The fence: it replaces rewriting them when the plan is executed, which is what
// happens after a wrong guess. TestAheadChangesNothing compares the two.
// BenchmarkConvert/json, docs/BENCHMARKS.md, pays for it; 2026-11-28.
type ahead struct {
	start, end int // of the histograms in the text; start is 0 for none
	spec       *revisions.Spec
	out        histogram.Output
}

// lookBackBytes is how much of a ping's end is searched for its revision; info is
// the last member of most and has one or two kB.
const lookBackBytes = 4 << 10

// guess rewrites what look like the histograms of the ping if the revision that the
// text seems to have is known. endOf and append check that they are what they look
// like.
func (a *ahead) guess(text []byte, known map[string]*revisions.Spec, rewriter *histogram.Rewriter) {
	a.start = 0
	if len(known) == 0 {
		return
	}

	const histogramsName = `"histograms":`
	at := bytes.Index(text, []byte(histogramsName+"{"))
	if at < 0 {
		return
	}

	// Search the revision in the last few kB, and then before the histograms.
	const revisionName = `"revision":"`
	tail := max(at, len(text)-lookBackBytes)
	from := tail
	if i := bytes.Index(text[tail:], []byte(revisionName)); i >= 0 {
		from += i
	} else if from = bytes.Index(text[:at], []byte(revisionName)); from < 0 {
		return
	}
	from += len(revisionName)
	url := text[from : from+max(0, bytes.IndexByte(text[from:], '"'))]
	spec := known[string(url)]
	if spec == nil {
		return
	}

	at += len(histogramsName)
	a.out.Reset()
	if end, err := rewriter.Rewrite(&a.out, text, at, spec); err == nil {
		a.start, a.end, a.spec = at, end, spec
	}
}

// endOf returns where the histograms at text[start] end, if they were rewritten.
func (a *ahead) endOf(start int) (end int, ok bool) { return a.end, a.start != 0 && a.start == start }

// append appends the histograms at text[start] to out, if they were rewritten by
// spec.
func (a *ahead) append(out *histogram.Output, start int, spec *revisions.Spec) bool {
	if a.start == 0 || a.start != start || a.spec != spec {
		return false
	}
	out.JSON = append(out.JSON, a.out.JSON...)
	out.Dropped = append(out.Dropped, a.out.Dropped...)
	return true
}
