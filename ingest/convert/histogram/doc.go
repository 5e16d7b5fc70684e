// Package histogram rewrites the histograms of a ping as a record stores them. It
// knows JSON and definitions, and nothing of pings.
//
//	{"GC_MS":{"range":[1,10000],…,"values":{"0":5,"10":22},"sum":523},…}
//	        │ 1 definition   2 usual, or careful   3 repeats
//	        ▼
//	{"GC_MS":[5,0,22,…,523,-1,-1,-1,-1],…}
//
// A Rewriter walks the histograms once, in the order of the text:
//
//  1. It looks up the definition by name. A histogram without one is dropped, which
//     is counted by name and reason.
//  2. The usual path (usual.go) rewrites a histogram as browsers send it: its members
//     in their order, the defined bucketing, no whitespace. It gives up at the first
//     byte that is unusual. Then the careful path (careful.go, buckets.go) rewrites
//     the same histogram. It knows all of JSON, drops a histogram of another bucketing
//     than the definition's, and says what is wrong.
//  3. If a name comes again, only the last histogram of that name counts, even if an
//     earlier one is wrong. So everything is done once more without the earlier ones.
//
// A histogram becomes the count of each bucket in the order of their bounds, and
// then the sums of TailNames; a sum that is missing or null becomes -1.
//
// # The fence around the usual path
//
// It replaces the careful path, which gives the same result for everything.
// TestUsualAgreesWithCareful and convert's FuzzConvert compare them. BenchmarkRewrite
// pays for it: see the row in docs/BENCHMARKS.md, 2026-11-28.
//
// # To add …
//
// A sum behind the buckets: layout.TailNumbers and TailNames;
// TestEverySumIsWritten fails if they differ. Readers of records find its place by
// layout.TailNumbers.
//
// A fault: a Fault constant, and its class and message in the table of faults in
// package convert; TestEveryFaultHasAClass there fails without.
//
// A reason to drop: a Drop constant, and a case in Rewriter.mismatch.
package histogram
