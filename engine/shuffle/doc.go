// Package shuffle brings the values of each key together: what map tasks emit comes
// in, in any order; out go keys in order, each with its values in the order of the
// input (task, then emit order). It knows bytes only: keys are compared, values are
// copied.
//
//  1. A Table groups what one task emits. A key that has collected many values is
//     Crowded, and the caller may combine them.
//  2. A table that is Full, and the rest at the task's end, is sorted and becomes a
//     run (Builder), which the Store takes as number seq of the task.
//  3. Runs lie in memory up to Options.Memory, then in one file.
//  4. When all tasks have ended, Store.Compact merges runs that are neighbours in the
//     input until there are few enough to read at the same time.
//  5. Store.Shards cuts the key space, by keys sampled from the runs.
//  6. Store.Merge reads one shard's keys from all runs. Several shards may be read at
//     the same time.
//
// Everything that decides which values meet in which order, or where shards are cut,
// depends on Sizes and the data alone, never on memory or the number of workers.
//
// To change a size: it is a field of Sizes with its default in DefaultSizes. Tests of
// this package and of engine run with small ones.
package shuffle
