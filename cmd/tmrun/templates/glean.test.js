const dims = { reason: "metrics", appName: "org_example_app", appVersion: "1.0" }

test("reads pings of Glean", {
  records: [
    {
      dims,
      ping: {
        ping_info: { seq: 0 },
        client_info: { client_id: "c", os: "Linux" },
        metrics: { counter: { "app.opened": 2 }, timing_distribution: { "app.start_time": { sum: 70, values: { 32: 1, 34: 1 } } } },
      },
    },
    {
      dims: { ...dims, reason: "events" },
      ping: { client_info: { client_id: "c", os: "Linux" }, events: [{ timestamp: 0, category: "menu", name: "open" }] },
    },
  ],
  // The name of the table, the keys, then the results.
  want: [
    ["systems", "org_example_app", "events", "Linux", 1],
    ["systems", "org_example_app", "metrics", "Linux", 1],
    ["clients", "org_example_app", "20140302", 1],
    ["opened", "org_example_app", "1.0", 2],
    ["times", "org_example_app", "1.0", 1, 2, 35, 34, 37.6],
    ["events", "org_example_app", "menu", "open", 1],
  ],
})
