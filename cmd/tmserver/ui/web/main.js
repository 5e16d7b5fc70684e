// @ts-check
// The shell: navigation, theme, sign-in, and the view that the URL names.
import { h, replace } from "./dom.js";
import { read } from "./state.js";
import { Failed } from "./api.js";
import * as overview from "./view_overview.js";
import * as explorer from "./view_explorer.js";
import * as scripts from "./view_scripts.js";
import * as store from "./view_store.js";
import * as quarantine from "./view_quarantine.js";
import * as editor from "./view_editor.js";

/**
 * @typedef {{title: string, show: (place: HTMLElement, state: import("./state.js").State, signal: AbortSignal) => Promise<void>}} View
 * @type {Record<string, View>}
 */
const views = { overview, explorer, scripts, store, quarantine, editor };

const content = /** @type {HTMLElement} */ (document.getElementById("content"));
let leave = new AbortController();
let lastView = "";

/** What tells a control from the others of a view, also when it is made again. @param {Element} element */
function nameOf(element) {
  const label = element.closest("label");
  return `${element.tagName} ${element.getAttribute("type")} ${element.getAttribute("aria-label") ?? (label?.querySelector("span") ?? label ?? element).textContent}`;
}

async function route() {
  const state = read();
  const name = views[state.view] ? state.view : "overview";
  leave.abort();
  leave = new AbortController();
  const signal = leave.signal;

  replace(/** @type {HTMLElement} */ (document.getElementById("nav")), Object.entries(views).map(([view, { title }]) =>
    h("a", { href: `#/${view}`, "aria-current": view === name ? "page" : null }, title)));
  document.title = `${views[name].title} · Telemetry`;

  // Another view begins at its top, for the eye and for a screen reader; the same one keeps its place.
  const place = h("div", null);
  if (name !== lastView) {
    replace(content, h("p", { class: "empty" }, "Loading…"));
    scrollTo(0, 0);
    if (lastView) content.focus();
  }
  lastView = name;
  try {
    await views[name].show(place, state, signal);
    if (signal.aborted) return;
    const focused = content.contains(document.activeElement) ? nameOf(/** @type {Element} */ (document.activeElement)) : "";
    replace(content, place);
    // What was chosen with the keyboard keeps the focus.
    if (focused) [.../** @type {NodeListOf<HTMLElement>} */ (content.querySelectorAll("a, button, input, select, [tabindex]"))].find((one) => nameOf(one) === focused)?.focus({ preventScroll: true });
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Failed && error.status === 401) {
      location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
      return;
    }
    replace(content, h("div", { class: "card" }, h("p", { class: "empty failed", role: "alert" }, `This could not be loaded: ${error instanceof Error ? error.message : error}`),
      h("p", { class: "empty" }, h("button", { type: "button", onclick: route }, "Try again"))));
    if (!(error instanceof Failed)) console.error(error);
  }
}

document.getElementById("theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage may be forbidden */ }
  dispatchEvent(new Event("themechange"));
});
addEventListener("hashchange", route);
route();
