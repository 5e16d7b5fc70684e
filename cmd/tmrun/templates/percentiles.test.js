// The buckets of the definition begin at 0, 1, 10 and 100; behind their counts stand sum,
// log_sum, log_sum_squares, sum_squares_lo and sum_squares_hi, -1 where not sent.
test("percentiles of all records", {
  definitions: { GC_MS: { kind: "exponential", high: 100, n_buckets: 4 } },
  records: [
    { ping: { histograms: { GC_MS: [0, 3, 2, 0, 60, -1, -1, 700, 0] } } },
    { ping: { histograms: { GC_MS: [0, 1, 2, 0, 50, -1, -1, 600, 0] } } },
    { ping: { histograms: {} } },
  ],
  want: [["nightly", "30.0a1", "exponential 1 to 100", 8, 10, 55, 91]],
})
