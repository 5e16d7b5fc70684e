// tables: aggregations. Each function declares a table, which a script exports under a
// name; map adds to it, and Go does everything else.

const kind = (name) => (...columns) => __host.table(name, columns)

export const count = kind("count")
export const sum = kind("sum")
export const mean = kind("mean")
export const min = kind("min")
export const max = kind("max")
export const quantiles = kind("quantiles")
export const distinct = kind("distinct")
export const top = kind("top")
export const sample = kind("sample")
export const histograms = kind("histograms")
export const rows = kind("rows")
