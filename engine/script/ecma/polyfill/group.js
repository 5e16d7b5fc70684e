// Object.groupBy, Map.groupBy, Map.prototype.getOrInsert.

define(Object, {
  groupBy(items, callback) {
    const groups = Object.create(null)
    for (const [key, list] of Map.groupBy(items, (item, i) => {
      const name = callback(item, i)
      return typeof name === "symbol" ? name : String(name)
    })) groups[key] = list
    return groups
  },
})

define(Map, {
  groupBy(items, callback) {
    if (items === undefined || items === null) throw new TypeError("groupBy needs something to iterate over")
    callable(callback)
    const groups = new Map()
    let i = 0
    for (const item of items) {
      const key = callback(item, i++)
      const list = groups.get(key)
      if (list) list.push(item)
      else groups.set(key, [item])
    }
    return groups
  },
})

define(Map.prototype, {
  getOrInsert(key, value) {
    if (!this.has(key)) this.set(key, value)
    return this.get(key)
  },
  getOrInsertComputed(key, callback) {
    callable(callback)
    if (!this.has(key)) this.set(key, callback(key))
    return this.get(key)
  },
})
