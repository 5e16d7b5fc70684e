package engine

import "github.com/aitgithub/telemetry-server/engine/shuffle"

// WithSizes returns the options with small tables, shards and numbers of runs.
func (o Options) WithSizes(table int, shard int64, runs int) Options {
	o.sizes = shuffle.Sizes{TableBytes: table, ShardBytes: shard, MaxRuns: runs, HeldBytes: table / 10}
	return o
}
