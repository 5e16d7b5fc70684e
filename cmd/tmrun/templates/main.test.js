const pauses = { histogram_type: 0, range: [1, 100], bucket_count: 4, sum: 30, values: { 1: 1, 10: 2, 100: 0 } }

test("reads a main ping", {
  records: [
    {
      dims: { reason: "main" },
      ping: {
        type: "main",
        environment: { system: { os: { name: "Linux" } } },
        payload: {
          histograms: { GC_MS: pauses },
          processes: {
            parent: { scalars: { "browser.engagement.total_uri_count": 12 }, events: [[8528, "menu", "open", "button", null, {}]] },
            content: { histograms: { GC_MS: { ...pauses, sum: 60, values: { 1: 2, 10: 4, 100: 0 } } } },
          },
        },
      },
    },
    { ping: { info: { OS: "WINNT" } } }, // another reason
  ],
  // The name of the table, the keys, then the results.
  want: [
    ["systems", "nightly", "Linux", 1],
    ["pages", "nightly", 1, 12, 12],
    ["pauses", "nightly", "content", "exponential 1 to 100", 1, 6, 60, 10, 32.5, 93.25, [0, 2, 4, 0]],
    ["pauses", "nightly", "parent", "exponential 1 to 100", 1, 3, 30, 10, 32.5, 93.25, [0, 1, 2, 0]],
    ["events", "menu", "open", 1],
  ],
})
