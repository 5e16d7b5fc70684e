// Package gen makes up pings: a small population of browsers whose submissions
// have the shape, the size (20 to 40 kB, 150 to 300 histograms) and the spread
// of values of real ones, and agree with the definitions in Histograms.json,
// which are invented too. It feeds the demo, the tests and the benchmarks.
//
// Ping i of a seed is a function of the two:
//
//  1. draw the browser (population.go): channel, version, build, system, machine
//  2. write ver and simpleMeasurements (sections.go)
//  3. write the histograms that this session used (histograms.go): samples are
//     normal over the bucket numbers, which is log-normal over the values of an
//     exponential histogram; the sums are those of the lower bounds
//  4. write slowSQL … info, in the order in which browsers send them
//
// To add a histogram: add it to Histograms.json. Every later ping of every seed
// changes, and so do the golden files that were made from them.
// TestPingsAgreeWithTheDefinitions fails for a histogram that is written wrongly.
package gen

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Start is when the first made-up submission arrives; the others follow over
// one week.
var Start = time.Date(2014, 2, 3, 0, 0, 0, 0, time.UTC)

// Ping is one made-up submission.
type Ping struct {
	ID   string
	Dims schema.Dims // as found in the ping, with the UTC date of Time
	Time time.Time   // of receipt, whole milliseconds
	JSON []byte      // valid until the Generator's next call
}

// Path returns the URL path below /submit/telemetry/ that a browser posts p to.
func (p *Ping) Path() string {
	return schema.SubmissionPath(p.ID, p.Dims)
}

// Generator makes pings. It is owned by one goroutine; several with the same
// seed may share the work, as each can make any ping.
type Generator struct {
	seed       uint64
	histograms []histogram
	rng        *rand.Rand
	src        *rand.PCG
	out        object
	counts     []int64 // scratch: one per bucket, all zero between histograms
}

// New returns the generator of a seed.
func New(seed uint64) *Generator {
	src := rand.NewPCG(0, 0)
	g := &Generator{seed: seed, src: src, rng: rand.New(src)}
	g.histograms, g.counts = prepare()
	return g
}

// The limits of a Generator's pings; the few that would exceed them are drawn again.
const (
	minHistograms, maxHistograms = 150, 300
	minPingBytes, maxPingBytes   = 20_000, 40_000
)

// Ping returns the ping with that number. Its JSON is valid until the next call.
func (g *Generator) Ping(i int) Ping {
	g.src.Seed(g.seed, uint64(i))
	for {
		ping, histograms := g.draw()
		size := len(ping.JSON)
		if minHistograms <= histograms && histograms <= maxHistograms && minPingBytes <= size && size <= maxPingBytes {
			return ping
		}
	}
}

// draw makes a ping from the next random numbers, and counts its histograms.
func (g *Generator) draw() (ping Ping, histograms int) {
	ping.ID = g.uuid()
	ping.Time = Start.Add(time.Duration(g.rng.Int64N(7*24*3600*1000)) * time.Millisecond)
	date := schema.DateOf(ping.Time)

	// The dimensions are what the browser states, with the date of receipt.
	session := g.browser(date)
	ping.Dims = schema.Dims{
		schema.Reason: session.reason, schema.AppName: session.app, schema.Channel: session.channel, schema.Version: session.version,
		schema.BuildID: session.build, schema.SubmissionDate: string(date),
	}

	// The order of the members is that of browsers.
	out := &g.out
	out.buf = out.buf[:0]
	out.open()
	out.int("ver", 1)
	g.simpleMeasurements(out, &session)
	histograms = g.writeHistograms(out)
	g.slowSQL(out)
	g.chromeHangs(out)
	out.raw("lateWrites", `{"memoryMap":[],"stacks":[]}`)
	out.raw("addonHistograms", `{}`)
	g.fileIO(out, &session)
	g.addonDetails(out, &session)
	g.info(out, &session)
	out.close()
	ping.JSON = out.buf
	return ping, histograms
}

// uuid returns a random UUID of version 4.
func (g *Generator) uuid() string {
	var random [16]byte
	binary.LittleEndian.PutUint64(random[:8], g.rng.Uint64())
	binary.LittleEndian.PutUint64(random[8:], g.rng.Uint64())

	// Version and variant have fixed bits.
	random[6] = random[6]&0x0f | 0x40
	random[8] = random[8]&0x3f | 0x80

	// 8-4-4-4-12 digits, with a dash before each group but the first.
	var text [36]byte
	for i, at := range [...]struct{ from, to, at int }{{0, 4, 0}, {4, 6, 9}, {6, 8, 14}, {8, 10, 19}, {10, 16, 24}} {
		hex.Encode(text[at.at:], random[at.from:at.to])
		if i > 0 {
			text[at.at-1] = '-'
		}
	}

	return string(text[:])
}

// chance is true with probability p.
func (g *Generator) chance(p float64) bool { return g.rng.Float64() < p }

// logNormal returns a sample whose median is mid; two thirds of them lie between
// mid/spread and mid*spread.
func (g *Generator) logNormal(mid, spread float64) int {
	return int(mid * pow(spread, g.rng.NormFloat64()))
}
