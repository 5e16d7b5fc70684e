// structuredClone.

const uncloneable = (value) => {
  const error = new Error(String(typeof value === "symbol" ? value.toString() : value) + " could not be cloned.")
  error.name = "DataCloneError"
  return error
}
define(globalThis, {
  structuredClone(value) {
    const seen = new Map()
    const clone = (v) => {
      if (typeof v === "function" || typeof v === "symbol") throw uncloneable(v)
      if (Object(v) !== v) return v
      if (seen.has(v)) return seen.get(v)
      const keep = (copy) => { seen.set(v, copy); return copy }
      const kind = Object.prototype.toString.call(v).slice(8, -1)
      if (Array.isArray(v)) {
        const copy = keep(new Array(v.length))
        for (const key of Object.keys(v)) copy[key] = clone(v[key])
        return copy
      }
      if (v instanceof Date) return keep(new Date(v.getTime()))
      if (v instanceof RegExp) return keep(new RegExp(v.source, v.flags))
      if (v instanceof Map) {
        const copy = keep(new Map())
        for (const [key, item] of [...v]) copy.set(clone(key), clone(item))
        return copy
      }
      if (v instanceof Set) {
        const copy = keep(new Set())
        for (const item of [...v]) copy.add(clone(item))
        return copy
      }
      if (v instanceof ArrayBuffer) return keep(v.slice(0))
      if (ArrayBuffer.isView(v)) {
        const buffer = clone(v.buffer)
        return keep(v instanceof DataView ? new DataView(buffer, v.byteOffset, v.byteLength) : new v.constructor(buffer, v.byteOffset, v.length))
      }
      if (v instanceof Error) {
        const names = ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]
        const copy = keep(Object.create(globalThis[names.includes(v.name) ? v.name : "Error"].prototype))
        for (const key of ["stack", "message", "cause"]) {
          if (Object.hasOwn(v, key)) Object.defineProperty(copy, key, { value: clone(v[key]), writable: true, configurable: true, enumerable: false })
        }
        return copy
      }
      if (["Boolean", "Number", "String", "BigInt"].includes(kind) && v.valueOf() !== v) return keep(Object(v.valueOf()))
      if (v instanceof Promise || v instanceof WeakMap || v instanceof WeakSet) throw uncloneable(v)
      const copy = keep({})
      for (const key of Object.keys(v)) copy[key] = clone(v[key])
      return copy
    }
    return clone(value)
  },
})
