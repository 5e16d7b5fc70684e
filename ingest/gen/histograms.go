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

	for def := range spec.Definitions() {
		if def.Err != nil {
			panic("gen: " + def.Err.Error())
		}
		if unsent[def.Name] {
			continue
		}

		// The copy of the start comes right behind the original, as in browsers.
		all = append(all, newHistogram(def, def.Name, extended[def.Name].OK))
		for _, part := range early {
			if strings.Contains(def.Name, part) && len(def.Name) < 30 {
				all = append(all, newHistogram(def, "STARTUP_"+def.Name, extended[def.Name].OK))
				break
			}
		}
		if def.BucketCount > len(scratch) {
			scratch = make([]int64, def.BucketCount)
		}
	}

	return all, scratch
}

func newHistogram(def *revisions.Definition, name string, extended bool) histogram {
	// The text in front of the values is the same in every ping.
	start := object{buf: make([]byte, 0, 128)}
	start.buf = append(start.buf, '"')
	start.buf = append(start.buf, name...)
	start.buf = append(start.buf, `":{"range":`...)
	start.ints(def.Low, def.High)
	start.int("bucket_count", def.BucketCount)
	start.int("histogram_type", def.Kind.TypeCode())
	start.begin("values")

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
	buckets := float64(def.BucketCount)
	made := histogram{
		head: string(start.buf), kind: def.Kind, bounds: def.Bounds(),
		popularity: 0.6 + 0.8*part(),
		mid:        buckets * (0.15 + 0.5*part()),
		spread:     1 + buckets*(0.02+0.06*part()),
		volume:     0.9 + 3*part()*part(),
	}

	// Keys and logarithms are computed once, not for each ping.
	for _, bound := range made.bounds {
		made.keys = append(made.keys, `"`+strconv.Itoa(bound)+`":`)
		if extended {
			made.logs = append(made.logs, math.Log1p(float64(bound)))
		}
	}

	return made
}

// writeHistograms writes the member "histograms" and returns how many it holds.
func (g *Generator) writeHistograms(out *object) (written int) {
	// Some sessions use more of the browser than others, and use it more.
	share := 0.42 + 0.1*g.rng.Float64() // of all histograms
	activity := pow(1.4, g.rng.NormFloat64())

	out.begin("histograms")
	for i := range g.histograms {
		histogram := &g.histograms[i]
		if g.chance(share * histogram.popularity) {
			if out.buf[len(out.buf)-1] != '{' {
				out.buf = append(out.buf, ',')
			}
			g.writeHistogram(out, histogram, activity)
			written++
		}
	}

	out.end()
	return written
}

func (g *Generator) writeHistogram(out *object, hist *histogram, activity float64) {
	// A flag has one sample, a boolean some, and a count one bucket.
	counts := g.counts[:len(hist.bounds)]
	switch hist.kind {
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
		mid := hist.mid + hist.spread*g.rng.NormFloat64()
		for range 1 + min(g.logNormal(hist.volume*activity, 1.8), 10) {
			bucket := int(mid + hist.spread*g.rng.NormFloat64())
			times := int64(1)

			// Half of the samples are repeated, up to 441 times more.
			random := g.rng.Uint32()
			if random%2 == 0 {
				times += int64((random >> 8 & 63) * (random >> 20 & 7))
			}
			counts[min(max(bucket, 0), len(counts)-1)] += times
		}
	}

	g.writeCounts(out, hist, counts)
}

// writeCounts writes the values between the empty buckets beside them, as
// browsers do, then the sums of the kind, and clears counts.
func (g *Generator) writeCounts(out *object, hist *histogram, counts []int64) {
	out.buf = append(out.buf, hist.head...)

	// A bucket that is empty is written if a neighbour is not.
	var sum, squares int64
	var logSum, logSquares float64
	before := -1 // the last bucket written
	for bucket, samples := range counts {
		if samples == 0 {
			continue
		}
		if before < 0 && bucket > 0 {
			out.member(hist.keys[bucket-1], 0)
		}

		out.member(hist.keys[bucket], samples)
		before = bucket

		// The sums are those of the lower bounds, as if every sample were one.
		bound := int64(hist.bounds[bucket])
		sum += samples * bound
		squares += samples * bound * bound
		if hist.logs != nil {
			logSum += float64(samples) * hist.logs[bucket]
			logSquares += float64(samples) * hist.logs[bucket] * hist.logs[bucket]
		}

		counts[bucket] = 0
	}

	// The empty bucket behind the last one ends the list.
	if before+1 < len(counts) {
		out.member(hist.keys[before+1], 0)
	}

	out.buf = append(out.buf, `},"sum":`...)
	out.buf = strconv.AppendInt(out.buf, sum, 10)

	// Exponential histograms have sums of logarithms, the others sums of squares.
	if hist.kind == revisions.Exponential {
		out.buf = append(out.buf, `,"log_sum":`...)
		out.float(logSum)
		out.buf = append(out.buf, `,"log_sum_squares":`...)
		out.float(logSquares)
	} else {
		out.buf = append(out.buf, `,"sum_squares_lo":`...)
		out.buf = strconv.AppendUint(out.buf, uint64(uint32(squares)), 10)
		out.buf = append(out.buf, `,"sum_squares_hi":`...)
		out.buf = strconv.AppendUint(out.buf, uint64(squares)>>32, 10)
	}

	out.buf = append(out.buf, '}')
}

// member appends a member whose key is already quoted.
func (o *object) member(key string, n int64) {
	if o.buf[len(o.buf)-1] != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, key...)
	o.buf = strconv.AppendInt(o.buf, n, 10)
}
