package gen

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/revisions"
)

// histogram is a definition with what its pings have in common.
type histogram struct {
	head   string // `"NAME":{"range":[…],…,"values":{`
	kind   revisions.Kind
	bounds []int
	keys   []string  // `"<lower bound>":`
	logs   []float64 // ln(1 + lower bound); nil: the log sums are not gathered
	// popularity is how likely a session has it, before the session's own share.
	popularity float64
	// mid and spread are the mean and the deviation of the samples' bucket numbers,
	// volume the median number of different samples.
	mid, spread, volume float64
}

// early are the parts of a name by which browsers recognise the histograms that they
// copy to STARTUP_<name> when the start is over.
var early = [...]string{"SQLITE", "HTTP", "SPDY", "CACHE", "DNS"}

// unsent are the definitions that no ping has: keyed and expired ones.
var unsent = map[string]bool{"TELEMETRY_TEST_KEYED": true, "TELEMETRY_TEST_EXPIRED": true}

// prepare returns all histograms in the order in which pings have them, and a
// scratch array with room for the buckets of any.
func prepare() (all []histogram, scratch []int64) {
	spec, err := revisions.Parse(Definitions)
	if err != nil {
		panic("gen: " + err.Error())
	}

	// revisions.Spec does not have this attribute, because conversion does not need it.
	var extended map[string]struct {
		OK bool `json:"extended_statistics_ok"`
	}
	if err := json.Unmarshal(Definitions, &extended); err != nil {
		panic("gen: " + err.Error())
	}

	for d := range spec.Definitions() {
		if d.Err != nil {
			panic("gen: " + d.Err.Error())
		}
		if unsent[d.Name] {
			continue
		}

		// The copy of the start comes right behind the original, as in browsers.
		all = append(all, newHistogram(d, d.Name, extended[d.Name].OK))
		for _, part := range early {
			if strings.Contains(d.Name, part) && len(d.Name) < 30 {
				all = append(all, newHistogram(d, "STARTUP_"+d.Name, extended[d.Name].OK))
				break
			}
		}
		if d.BucketCount > len(scratch) {
			scratch = make([]int64, d.BucketCount)
		}
	}

	return all, scratch
}

func newHistogram(d *revisions.Definition, name string, extended bool) histogram {
	o := object{buf: make([]byte, 0, 128)}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, `":{"range":`...)
	o.ints(d.Low, d.High)
	o.int("bucket_count", d.BucketCount)
	o.int("histogram_type", d.Kind.TypeCode())
	o.begin("values")

	// The name decides what is typical, so that histograms differ from each other
	// and a name means the same in every ping.
	hasher := fnv.New64a()
	hasher.Write([]byte(name))
	hash := hasher.Sum64()
	part := func() float64 { // of 1
		part := float64(hash%1024) / 1024
		hash /= 1024
		return part
	}

	// All figures are fractions of the number of buckets.
	buckets := float64(d.BucketCount)
	h := histogram{
		head: string(o.buf), kind: d.Kind, bounds: d.Bounds(),
		popularity: 0.6 + 0.8*part(),
		mid:        buckets * (0.15 + 0.5*part()),
		spread:     1 + buckets*(0.02+0.06*part()),
		volume:     0.9 + 3*part()*part(),
	}

	// Keys and logarithms are computed once, not for each ping.
	for _, bound := range h.bounds {
		h.keys = append(h.keys, `"`+strconv.Itoa(bound)+`":`)
		if extended {
			h.logs = append(h.logs, math.Log1p(float64(bound)))
		}
	}

	return h
}

// writeHistograms writes the member "histograms" and returns how many it holds.
func (g *Generator) writeHistograms(o *object) (n int) {
	o.begin("histograms")
	// Some sessions use more of the browser than others, and use it more.
	share := 0.42 + 0.1*g.rng.Float64() // of all histograms
	activity := pow(1.4, g.rng.NormFloat64())
	for i := range g.histograms {
		h := &g.histograms[i]
		if g.chance(share * h.popularity) {
			if o.buf[len(o.buf)-1] != '{' {
				o.buf = append(o.buf, ',')
			}
			g.writeHistogram(o, h, activity)
			n++
		}
	}

	o.end()
	return n
}

func (g *Generator) writeHistogram(o *object, h *histogram, activity float64) {
	// A flag has one sample, a boolean some, and a count one bucket.
	counts := g.counts[:len(h.bounds)]
	switch h.kind {
	case revisions.Flag:
		if g.chance(0.08) {
			counts[1] = 1
		} else {
			counts[0] = 1
		}
	case revisions.Boolean:
		uses := 1 + g.rng.Int64N(int64(1+20*activity))
		counts[1] = g.rng.Int64N(uses + 1)
		counts[0] = uses - counts[1]
	case revisions.Count:
		counts[0] = int64(g.logNormal(1+2*activity, 2)) + 1
	default:
		// Each session has its own mean, around which its samples lie.
		mid := h.mid + h.spread*g.rng.NormFloat64()
		for range 1 + min(g.logNormal(h.volume*activity, 1.8), 10) {
			bucket := int(mid + h.spread*g.rng.NormFloat64())
			times := int64(1)
			random := g.rng.Uint32()
			if random%2 == 0 { // repeated samples
				times += int64((random >> 8 & 63) * (random >> 20 & 7))
			}
			counts[min(max(bucket, 0), len(counts)-1)] += times
		}
	}

	g.writeCounts(o, h, counts)
}

// writeCounts writes the values between the empty buckets beside them, as
// browsers do, then the sums of the kind, and clears counts.
func (g *Generator) writeCounts(o *object, h *histogram, counts []int64) {
	o.buf = append(o.buf, h.head...)
	var sum, squares int64
	var logSum, logSquares float64
	// A bucket that is empty is written if a neighbour is not.
	before := -1 // the last bucket written
	for i, n := range counts {
		if n == 0 {
			continue
		}
		if before < 0 && i > 0 {
			o.member(h.keys[i-1], 0)
		}

		o.member(h.keys[i], n)
		before = i
		bound := int64(h.bounds[i])
		sum += n * bound
		squares += n * bound * bound
		if h.logs != nil {
			logSum += float64(n) * h.logs[i]
			logSquares += float64(n) * h.logs[i] * h.logs[i]
		}

		counts[i] = 0
	}
	// The empty bucket behind the last one ends the list.
	if before+1 < len(counts) {
		o.member(h.keys[before+1], 0)
	}

	o.buf = append(o.buf, `},"sum":`...)
	o.buf = strconv.AppendInt(o.buf, sum, 10)
	// Exponential histograms have sums of logarithms, the others sums of squares.
	if h.kind == revisions.Exponential {
		o.buf = append(o.buf, `,"log_sum":`...)
		o.float(logSum)
		o.buf = append(o.buf, `,"log_sum_squares":`...)
		o.float(logSquares)
	} else {
		o.buf = append(o.buf, `,"sum_squares_lo":`...)
		o.buf = strconv.AppendUint(o.buf, uint64(uint32(squares)), 10)
		o.buf = append(o.buf, `,"sum_squares_hi":`...)
		o.buf = strconv.AppendUint(o.buf, uint64(squares)>>32, 10)
	}

	o.buf = append(o.buf, '}')
}

// member appends a member whose key is already quoted.
func (o *object) member(key string, n int64) {
	if o.buf[len(o.buf)-1] != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, key...)
	o.buf = strconv.AppendInt(o.buf, n, 10)
}
