// Package measures prepares, for each submission date, what the measure explorer shows:
// the sum of every histogram, scalar and Glean metric, by everything that people choose by.
//
//	segments of a day ──► ping ──► values ──► cells ──► state/measures/<YYYYMMDD>
//	                                                      │
//	                        Query ──► groups of cells ◄───┘  one measure's block of each day
//
// # A day
//
//  1. The segments of the day are read twice: first for the number of pings that each
//     client has in each partition, then for the values.
//  2. Each value is counted in a cell: partition, operating system, process, key and
//     bucketing of one measure. A cell has the counts by ping, and by client: a client has
//     one vote in a day and partition, which its pings share, and each ping divides its
//     part over its own buckets. Votes are whole numbers, so their sums are exact and do
//     not depend on any order.
//  3. A file has a block for each measure, and an index with everything else. It names the
//     segments that it was made from: a day with others is stale.
//
// # Which values
//
// Histograms have the buckets of their definitions (classic pings), of themselves (unified
// pings) or of Glean's formulas. Numbers, such as scalars and counters, have the buckets of
// Glean's timing distributions, eight for each doubling. Booleans have two buckets. Texts,
// and the distributions whose buckets the ping does not say, have labels.
//
// To add a type of Glean metric: its row in gleanTypes (ping.go), and a ping with it in
// TestValues, which fails for a type of the captured pings that has no row.
package measures
