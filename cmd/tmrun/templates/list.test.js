test("lists records with hangs", {
  records: [
    { id: "a", ping: { chromeHangs: { durations: [5, 6] } } },
    { id: "b", ping: { chromeHangs: { durations: [] } } },
    { id: "c", ping: {} },
  ],
  want: [["a", "20140302", 2]],
})
