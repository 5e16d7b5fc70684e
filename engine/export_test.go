package engine

import "testing"

// SetSizes makes tables and shards small until the test ends.
func SetSizes(t *testing.T, table int, shard int64) {
	oldTable, oldShard := tableBytes, shardBytes
	tableBytes, shardBytes = table, shard
	t.Cleanup(func() { tableBytes, shardBytes = oldTable, oldShard })
}
