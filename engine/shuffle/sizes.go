package shuffle

// Sizes decide how values are grouped and where the key space is cut. The output
// depends on them, so they are the same for every job; only tests change them.
type Sizes struct {
	// TableBytes is how much a task collects before it becomes a sorted run. It is no
	// share of Options.Memory, because it decides which values are combined together.
	TableBytes int
	// ShardBytes is about how much run data one shard has: little enough for its output
	// to wait in memory. It decides which keys share a reducer's globals.
	ShardBytes int64
	// MaxRuns is how many runs are merged at the same time: each costs up to blockBytes
	// of memory for every shard that is read.
	MaxRuns int
	// HeldBytes is how much of one key's values stays in memory while they are read; the
	// rest is read again from the runs.
	HeldBytes int
}

// DefaultSizes returns the sizes of every job.
func DefaultSizes() Sizes {
	return Sizes{TableBytes: 16 << 20, ShardBytes: 16 << 20, MaxRuns: 1024, HeldBytes: 8 << 20}
}

// blockBytes is the unit in which runs are read, and a block's size at most, unless
// one value takes more; a key with more values spans several blocks.
const blockBytes = 32 << 10
