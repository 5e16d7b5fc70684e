// Iterator and its helpers.

// Iterator helpers.
const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))
const count = (n) => {
  const number = Number(n)
  if (Number.isNaN(number)) throw new RangeError(String(n) + " is no count")
  const whole = Math.trunc(number)
  if (whole < 0) throw new RangeError(String(n) + " is negative")
  return whole
}
const close = (iterator) => { if (typeof iterator.return === "function") iterator.return() }
// direct reads next once, as the standard says.
const direct = (iterator) => {
  if (Object(iterator) !== iterator) throw new TypeError("an iterator helper needs an iterator")
  const next = iterator.next
  return { iterator, step: () => {
    const result = next.call(iterator)
    if (Object(result) !== result) throw new TypeError("next returned no object")
    return result
  } }
}
// each calls f for every value until it returns something other than undefined.
const each = (iterator, f) => {
  const { step } = direct(iterator)
  let i = 0
  for (let result = step(); !result.done; result = step()) {
    let answer
    try { answer = f(result.value, i++) } catch (e) { try { close(iterator) } catch {} throw e }
    if (answer !== undefined) { close(iterator); return answer.value }
  }
}
const helperPrototype = Object.create(prototype)
// lazy makes a helper object around a generator that gets step.
const lazy = (iterator, generator) => {
  const source = direct(iterator)
  const inner = generator(source.step)
  let started = false, finished = false
  const helper = Object.create(helperPrototype)
  states.set(helper, {
    next() {
      started = true
      if (finished) return { value: undefined, done: true }
      try {
        const result = inner.next()
        finished = result.done
        return result
      } catch (e) {
        finished = true
        throw e
      }
    },
    return() {
      if (!finished) {
        finished = true
        if (started) inner.return()
        close(iterator)
      }
      return { value: undefined, done: true }
    },
  })
  return helper
}
const states = new WeakMap()
const state = (helper) => {
  const s = states.get(helper)
  if (!s) throw new TypeError("not an iterator helper")
  return s
}
define(helperPrototype, {
  next() { return state(this).next() },
  return() { return state(this).return() },
})
Object.defineProperty(helperPrototype, "next", { value: function next() { return state(this).next() }, writable: true, configurable: true, enumerable: false })
Object.defineProperty(helperPrototype, Symbol.toStringTag, { value: "Iterator Helper", configurable: true })
const guarded = (iterator, f, ...args) => {
  try { return f(...args) } catch (e) { try { close(iterator) } catch {} throw e }
}

define(prototype, {
  map(f) {
    guarded(this, callable, f)
    return lazy(this, function* (step) {
      let i = 0
      for (let result = step(); !result.done; result = step()) yield guarded(this, f, result.value, i++)
    }.bind(this))
  },
  filter(f) {
    guarded(this, callable, f)
    return lazy(this, function* (step) {
      let i = 0
      for (let result = step(); !result.done; result = step()) if (guarded(this, f, result.value, i++)) yield result.value
    }.bind(this))
  },
  take(n) {
    let left = guarded(this, count, n)
    return lazy(this, function* (step) {
      for (; left > 0; left--) {
        const result = step()
        if (result.done) return
        yield result.value
      }
      close(this)
    }.bind(this))
  },
  drop(n) {
    let left = guarded(this, count, n)
    return lazy(this, function* (step) {
      for (let result = step(); !result.done; result = step()) {
        if (left > 0) left--
        else yield result.value
      }
    })
  },
  flatMap(f) {
    guarded(this, callable, f)
    return lazy(this, function* (step) {
      let i = 0
      for (let result = step(); !result.done; result = step()) {
        const inner = guarded(this, f, result.value, i++)
        if (Object(inner) !== inner) throw new TypeError("flatMap's function returned nothing to iterate over")
        yield* { [Symbol.iterator]: () => (inner[Symbol.iterator] ? inner[Symbol.iterator]() : inner) }
      }
    }.bind(this))
  },
  reduce(f, ...initial) {
    guarded(this, callable, f)
    let total = initial[0], first = initial.length === 0
    each(this, (value, i) => {
      if (first) { total = value; first = false } else total = f(total, value, i)
    })
    if (first) throw new TypeError("reduce of no values without an initial one")
    return total
  },
  toArray() {
    const list = []
    each(this, (value) => { list.push(value) })
    return list
  },
  forEach(f) { guarded(this, callable, f); each(this, (value, i) => { f(value, i) }) },
  some(f) { guarded(this, callable, f); return each(this, (value, i) => (f(value, i) ? { value: true } : undefined)) ?? false },
  every(f) { guarded(this, callable, f); return each(this, (value, i) => (f(value, i) ? undefined : { value: false })) ?? true },
  find(f) { guarded(this, callable, f); return each(this, (value, i) => (f(value, i) ? { value } : undefined)) },
})

if (!("Iterator" in globalThis)) {
  const Iterator = function Iterator() {
    if (new.target === undefined || new.target === Iterator) throw new TypeError("Iterator is abstract: extend it")
  }
  Object.defineProperty(Iterator, "prototype", { value: prototype, writable: false })
  define(Iterator, {
    from(items) {
      if (Object(items) !== items && typeof items !== "string") throw new TypeError("Iterator.from needs an object")
      const iterator = items[Symbol.iterator] ? items[Symbol.iterator]() : items
      if (prototype.isPrototypeOf(iterator)) return iterator
      return Object.assign(Object.create(prototype), {
        next: () => iterator.next(),
        return: () => (iterator.return ? iterator.return() : { value: undefined, done: true }),
      })
    },
  })
  Object.defineProperty(globalThis, "Iterator", { value: Iterator, writable: true, configurable: true, enumerable: false })
  Object.defineProperty(prototype, "constructor", { value: Iterator, writable: true, configurable: true, enumerable: false })
  if (!prototype[Symbol.toStringTag]) {
    Object.defineProperty(prototype, Symbol.toStringTag, { value: "Iterator", writable: true, configurable: true })
  }
}
