package shuffle

import (
	"cmp"
	"slices"
)

// Shard is a slice of the key space: the keys from lo (inclusive) to hi (exclusive;
// no bound if last).
type Shard struct {
	lo, hi string
	last   bool
}

// All returns the shard of all keys.
func All() Shard { return Shard{last: true} }

// has says whether key is in the shard.
func (sh Shard) has(key string) bool { return key >= sh.lo && (sh.last || key < sh.hi) }

// cutShards cuts the key space of the runs so that each shard has about shardBytes,
// estimated by the first keys of blocks. Keys for which together returns the same prefix
// stay in one shard; nil cuts between any keys.
func cutShards(runs []*run, shardBytes int64, together func(key string) string) []Shard {
	var total int64
	for _, r := range runs {
		total += r.size()
	}

	want := int(total/shardBytes) + 1
	shards := []Shard{All()}
	if want == 1 {
		return shards
	}

	// The first keys of all blocks are a sample of the keys, weighted by bytes.
	var all []block
	for _, r := range runs {
		all = append(all, r.blocks...)
	}
	slices.SortFunc(all, func(a, b block) int { return cmp.Compare(a.first, b.first) })

	// Begin a shard at the first block behind each equal share of the bytes, except
	// where that block's key began the shard before.
	var seen int64
	for i, b := range all {
		current := &shards[len(shards)-1]
		if i > 0 && seen*int64(want) >= total*int64(len(shards)) {
			// The prefix sorts before all keys that begin with it.
			first := b.first
			if together != nil {
				first = together(first)
			}
			if first > current.lo {
				current.hi = first
				current.last = false
				shards = append(shards, Shard{lo: first, last: true})
			}
		}
		seen += int64(b.len)
	}
	return shards
}
