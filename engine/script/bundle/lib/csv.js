// csv: RFC 4180 lines.

/** One line of CSV without its line end. */
export function stringify(columns, separator = ",") {
  return Array.from(columns, (c) => quote(c, separator)).join(separator)
}

function quote(value, separator) {
  const s = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)
  return s.includes(separator) || /["\r\n]/.test(s) ? '"' + s.replaceAll('"', '""') + '"' : s
}

/** The rows of a CSV text, each an array of strings. */
export function parse(text, separator = ",") {
  const rows = []
  let row = []
  let field = ""
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (quoted) {
      if (c !== '"') field += c
      else if (text[i + 1] === '"') field += text[++i]
      else quoted = false
    } else if (c === '"') quoted = true
    else if (c === separator) {
      row.push(field)
      field = ""
    } else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i++
      rows.push([...row, field])
      row = []
      field = ""
    } else field += c
  }
  if (field !== "" || row.length > 0) rows.push([...row, field])
  return rows
}
