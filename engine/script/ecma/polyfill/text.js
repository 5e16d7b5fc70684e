// String.prototype.isWellFormed, toWellFormed.

const lone = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g
define(String.prototype, {
  isWellFormed() { return String(this).search(lone) < 0 },
  toWellFormed() { return String(this).replace(lone, "\uFFFD") },
})
