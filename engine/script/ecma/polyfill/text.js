// String.prototype.isWellFormed, toWellFormed.
(function () {
  "use strict"

  const define = (object, functions) => {
    for (const name of Object.getOwnPropertyNames(functions)) {
      if (!(name in object)) {
        Object.defineProperty(object, name, { value: functions[name], writable: true, configurable: true, enumerable: false })
      }
    }
  }

  const lone = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g
  define(String.prototype, {
    isWellFormed() { return String(this).search(lone) < 0 },
    toWellFormed() { return String(this).replace(lone, "\uFFFD") },
  })
})()
