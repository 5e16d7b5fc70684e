test("fills its tables", {
  records: [
    { ping: { info: { OS: "WINNT" }, simpleMeasurements: { uptime: 3 }, histograms: { GC_MS: [1, 2, 5, -1, -1, 25, 0] } } },
    { ping: { info: { OS: "WINNT" }, simpleMeasurements: {}, histograms: { GC_MS: [0, 1, 1, -1, -1, 1, 0] } } },
  ],
  // The name of the table, the keys, then the results.
  want: [
    ["systems", "nightly", "WINNT", 2],
    ["uptime", "nightly", 1, 3, 3],
    ["all", "nightly", "GC_MS", "unknown", 2, 4, 6, 1.5, null, null, [1, 3]],
  ],
})
