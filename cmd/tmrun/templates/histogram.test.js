// Four buckets, then sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi;
// -1 is a sum that the browser did not send.
test("adds bucket by bucket", {
  records: [
    { ping: { histograms: { GC_MS: [0, 1, 2, 0, 5, -1, -1, 9, 0] } } },
    { ping: { histograms: { GC_MS: [1, 1, 0, 0, 1, -1, -1, 1, 0] } } },
    { ping: { histograms: {} } },
  ],
  want: [["nightly", "30.0a1", [1, 2, 2, 0, 6, -1, -1, 10, 0]]],
})
