// @ts-check
// What is shown is in the URL, behind its #: a view, and its parameters.

/** @typedef {{view: string, get: (name: string, otherwise?: string) => string, all: (name: string) => string[], has: (name: string) => boolean, change: (changes: Record<string, string | string[] | null>) => void, link: (changes: Record<string, string | string[] | null>) => string}} State */

/** @returns {State} */
export function read() {
  const [view, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parameters = new URLSearchParams(query);

  /** @param {Record<string, string | string[] | null>} changes */
  function link(changes) {
    const next = new URLSearchParams(parameters);
    for (const [name, value] of Object.entries(changes)) {
      next.delete(name);
      for (const one of Array.isArray(value) ? value : value ? [value] : []) next.append(name, one);
    }
    const text = next.toString();
    return `#/${view}${text ? "?" + text : ""}`;
  }

  return {
    view,
    get: (name, otherwise = "") => parameters.get(name) ?? otherwise,
    all: (name) => parameters.getAll(name),
    has: (name) => parameters.has(name),
    link,
    change(changes) { location.hash = link(changes); },
  };
}
