test("finds the median", {
  records: [100, 300, 200].map((ms) => ({ ping: { simpleMeasurements: { firstPaint: ms } } })),
  want: [["30.0a1", 3, 200, 290]],
})
