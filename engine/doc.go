// Package engine runs a Job over the segments of a tree: map, combine, shuffle,
// reduce, output. In come segments of whole `<id>\t<json>` lines from a Source;
// out go rows to a Sink. It knows neither JavaScript nor HTTP: a key and a value
// are data as package datum encodes them.
//
// Run:
//
//  1. NewPlan lists the segments that the filter selects, in order of path, and
//     cuts them into map tasks: a segment, or FramesPerTask frames of a big one.
//     The cut never depends on the number of workers.
//  2. Mappers (-m) run tasks in order. Each task has a new Mapper and its own
//     table. A key's values are combined when there are many of them; a table that
//     is full is combined, sorted and becomes a run, as does the rest of it at the
//     end. So neither script globals nor the grouping of float sums can depend on
//     workers or memory. With a Cache, a task whose result is there is not run. A task of
//     a segment in columns ends a run at each partition, as if that were a segment.
//  3. Package shuffle holds the runs, in memory up to Options.Memory, then in one file
//     of the work folder.
//  4. When all maps are done, the key space is cut into shards: again a function of
//     the data alone. Reducers (-r) process shards; each merges its range of all runs
//     and calls a new Reducer with each key, in key order, and the key's values in
//     input order (partition, age, then emit order: Plan.order). A job that writes something after all keys
//     has one shard.
//  5. What shard n wrote goes to the Sink after what shard n-1 wrote.
//
// Hence the output is the same bytes for any number of workers and any memory.
//
// A task can also run on streams of lines, in another process (stream.go, package
// isolate); by itself, with its pairs as lines for any program that sorts (pairs.go); and
// on a cluster, with its pairs packed for shards (packed.go, package spark).
//
// To add an output format: see package format.
//
// To add an input source:
//
//  1. Implement Source; `var _ engine.Source = …` pins it. Segments must be sorted by
//     Path, or two runs would number their tasks differently.
//  2. Run enginetest.TestSource on it: it fails for segments out of order, frames
//     that do not add up, and fingerprints that do not follow the content.
//  3. Pass it to NewPlan and to Run; cmd/tmrun does so in its session.
//
// To add a language or another way to run tasks (an engine): implement Job, with
// its Mapper and Reducer, and run enginetest.TestJob on it, which fails for rows that
// depend on the number of workers or on memory. A job whose tasks run elsewhere says so
// in Remote, and speaks MapStream and ReduceStream there, as package isolate does.
package engine
