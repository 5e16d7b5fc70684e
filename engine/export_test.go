package engine

import "testing"

// SetSizes makes tables, shards and what a key holds small until the test ends.
func SetSizes(t *testing.T, table int, shard int64) {
	oldTable, oldShard, oldHeld := tableBytes, shardBytes, heldBytes
	tableBytes, shardBytes, heldBytes = table, shard, table/10
	t.Cleanup(func() { tableBytes, shardBytes, heldBytes = oldTable, oldShard, oldHeld })
}
