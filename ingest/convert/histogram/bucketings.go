package histogram

import "github.com/aitgithub/telemetry-server/revisions"

const (
	// maxPingBuckets bounds the buckets of the different bucketings of one ping: computing
	// bounds takes far longer than reading the histogram that asks for them. Browsers have
	// some 3,000 in all.
	maxPingBuckets = 100_000
	// maxBucketings bounds those that are cached, of some hundred bytes each.
	maxBucketings = 4096
)

// bucketings computes and caches bounds.
type bucketings struct {
	known map[bucketing]*knownBounds
	ping  uint64 // the number of the ping in hand
	used  int    // buckets of the bucketings that it has
}

// knownBounds are the bounds of a bucketing; nil if it is not one.
type knownBounds struct {
	bounds []int
	ping   uint64 // the last one that had it
}

func newBucketings() bucketings { return bucketings{known: map[bucketing]*knownBounds{}} }

// begin begins another ping.
func (b *bucketings) begin() {
	b.ping++
	b.used = 0
	if len(b.known) > maxBucketings {
		clear(b.known)
	}
}

// bounds returns the bounds of what a histogram says of its bucketing, or else of its
// definition, which may be nil; nil if there are none, or the ping has too many.
func (b *bucketings) bounds(said *bucketing, definition *revisions.Definition) []int {
	if said.kind == unsaid || said.low == unsaid || said.buckets == unsaid {
		if definition == nil || definition.Err != nil {
			return nil
		}
		return definition.Bounds()
	}

	known := b.known[*said]
	if known == nil {
		known = &knownBounds{}
		if b.used >= maxPingBuckets {
			return nil
		}
		known.bounds = computeBounds(said)
		b.known[*said] = known
	}

	// It counts once a ping, whether it was cached or not: what becomes of a ping must not
	// depend on the ones before it.
	if known.ping != b.ping {
		if b.used >= maxPingBuckets {
			return nil
		}
		b.used += len(known.bounds)
		known.ping = b.ping
	}
	return known.bounds
}

// computeBounds returns the bounds of a bucketing, nil if it is not one.
func computeBounds(said *bucketing) []int {
	const most = 1 << 31 // of what an int holds everywhere
	kind, ok := revisions.KindOf(int(min(said.kind, most)))
	if !ok || said.low < 0 || said.high > most || said.buckets > most {
		return nil
	}

	definition, err := revisions.NewDefinition("", kind, int(said.low), int(said.high), int(said.buckets))
	if err != nil {
		return nil
	}
	return definition.Bounds()
}
