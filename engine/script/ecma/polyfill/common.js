// What the polyfills share: they stand in one function with it.

// define adds those functions that the object does not have yet.
const define = (object, functions) => {
  for (const name of Object.getOwnPropertyNames(functions)) {
    if (!(name in object)) {
      Object.defineProperty(object, name, { value: functions[name], writable: true, configurable: true, enumerable: false })
    }
  }
}

// callable returns f, or throws as ECMAScript does for what cannot be called.
const callable = (f) => {
  if (typeof f !== "function") throw new TypeError(String(f) + " is not a function")
  return f
}
