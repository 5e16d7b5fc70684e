// Array.fromAsync, Promise.withResolvers, Promise.try.

define(Array, {
  async fromAsync(items, mapper, self) {
    if (mapper !== undefined) callable(mapper)
    if (items === undefined || items === null) throw new TypeError("fromAsync needs something to iterate over")
    const list = []
    const add = async (item) => {
      list.push(mapper ? await mapper.call(self, await item, list.length) : await item)
    }
    const method = items[Symbol.asyncIterator] ?? items[Symbol.iterator]
    if (!method) {
      for (let i = 0; i < items.length; i++) await add(items[i])
      return list
    }
    const iterator = method.call(items)
    for (let step = await iterator.next(); !step.done; step = await iterator.next()) await add(step.value)
    return list
  },
})

define(Promise, {
  withResolvers() {
    let resolve, reject
    const promise = new this((yes, no) => { resolve = yes; reject = no })
    return { promise, resolve, reject }
  },
  try(f, ...args) {
    return new this((resolve) => resolve(f(...args)))
  },
})
