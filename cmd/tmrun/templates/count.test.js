test("counts systems by channel", {
  records: [
    { ping: { info: { OS: "WINNT" } } },
    { ping: { info: { OS: "Linux" } }, dims: { appUpdateChannel: "beta" } },
    { ping: { info: { OS: "WINNT" } } },
    { ping: {} },
  ],
  want: [
    ["Linux", "beta", 1],
    ["WINNT", "nightly", 2],
  ],
})
