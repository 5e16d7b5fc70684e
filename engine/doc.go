// Package engine runs a Job over the segments of a tree: map, combine, shuffle,
// reduce, output. In come segments of whole `<id>\t<json>` lines from a Source;
// out go rows to a Sink. It knows neither JavaScript nor HTTP: a key and a value
// are data as package datum encodes them.
//
// Run:
//
//  1. Plan lists the segments that the filter selects, in order of path, and
//     cuts them into map tasks: a segment, or FramesPerTask frames of a big one.
//     The cut never depends on the number of workers.
//  2. Mappers (-m) take tasks in order. Each task has a new Mapper and a new
//     table. A key's values are combined when there are combineValues of them;
//     a table of tableBytes is combined, sorted and becomes a run, as does the
//     rest of it at the end. So neither script globals nor the grouping of
//     float sums can depend on workers or memory.
//     With a Cache, a task whose result is remembered is not run (remember.go).
//  3. Runs lie in memory up to Options.Memory, then in one file of the work
//     folder. Where there are more than maxRuns, neighbours in the input are merged.
//  4. When all maps are done, the key space is cut into shards of about
//     shardBytes, by keys sampled from the runs: again a function of the data
//     alone. Reducers (-r) take shards; each merges its range of all runs and
//     calls a new Reducer with each key, in key order, and the key's values in
//     input order (task, then emit order).
//  5. What shard n wrote goes to the Sink after what shard n-1 wrote.
//
// Hence the output is the same bytes for any number of workers and any memory.
//
// A task can also run on streams of lines, in another process (stream.go, package
// isolate).
//
// To add an output format: implement Sink. To add a kind of input: implement
// Source. To add a language: implement Job.
package engine
