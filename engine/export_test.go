package engine

import "testing"

// SetSizes makes tables, shards, what a key holds, and the number of runs small
// until the test ends.
func SetSizes(t *testing.T, table int, shard int64, runs int) {
	oldTable, oldShard, oldHeld, oldRuns := tableBytes, shardBytes, heldBytes, maxRuns
	tableBytes, shardBytes, heldBytes, maxRuns = table, shard, table/10, runs
	t.Cleanup(func() { tableBytes, shardBytes, heldBytes, maxRuns = oldTable, oldShard, oldHeld, oldRuns })
}

// SortKeys returns the keys in the order in which a table gives them.
func SortKeys(keys []string) []string {
	t := newTable()
	for _, k := range keys {
		t.add([]byte(k), nil)
	}
	var out []string
	for _, g := range t.sorted() {
		out = append(out, g.key)
	}
	return out
}
