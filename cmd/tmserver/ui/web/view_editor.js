// @ts-check
// An editor that tries a script on a sample of the records, with the errors and the time at
// its lines. The script runs on the server as any job does, in processes of its own.
import { h, replace, progress, number, percent } from "./dom.js";
import { get, send, follow, text as read, Failed } from "./api.js";
import { showResults } from "./results.js";

export const title = "Editor";

const first = `export const title = "Pings by operating system"

export function map(id, dims, ping, ctx) {
  ctx.write([dims.appUpdateChannel, ping.environment?.system?.os?.name], 1)
}

export function combine(key, counts, ctx) {
  ctx.write(key, counts.reduce((a, b) => a + b))
}

export const reduce = combine
`;

const vendor = "/vendor/codemirror/";
/** @type {Promise<any> | undefined} */
let loading;

/** Loads the editor's library, once. @returns {Promise<any>} */
function library() {
  loading ??= (async () => {
    for (const name of ["lib/codemirror.css", "addon/hint/show-hint.css"]) document.head.append(h("link", { rel: "stylesheet", href: vendor + name }));
    for (const name of ["lib/codemirror.js", "mode/javascript/javascript.js", "addon/hint/show-hint.js"]) {
      await new Promise((done, failed) => document.head.append(h("script", { src: vendor + name, onload: done, onerror: () => failed(new Failed(0, `${name} cannot be loaded.`)) })));
    }
    return /** @type {any} */ (globalThis).CodeMirror;
  })();
  loading.catch(() => { loading = undefined; });
  return loading;
}

/** What a script of this size has is in the URL, so that a link shows it. */
const maxLinked = 6000;

/** @param {HTMLElement} place @param {import("./state.js").State} state @param {AbortSignal} signal */
export async function show(place, state, signal) {
  let words;
  try {
    words = await get("declarations");
  } catch (error) {
    if (!(error instanceof Failed && error.status === 404)) throw error;
    place.append(h("div", { class: "head" }, h("h1", null, "Editor")),
      h("div", { class: "card" }, h("p", { class: "empty" }, "This server runs no scripts: the program tmrun, which runs them, is neither beside tmserver nor named by --tmrun.")));
    return;
  }
  const [CodeMirror, { role }] = await Promise.all([library(), get("role")]);

  // A script of the folder brings what it imports; those files cannot be edited here.
  const name = state.get("script");
  const source = name ? await get(`scripts/${encodeURIComponent(name)}/source`) : { main: "script.js", files: {} };
  const text = state.get("text") || source.files[source.main] || first;

  const frame = h("div", { class: "editor" });
  const status = h("p", { class: "small soft", role: "status" });
  const output = h("div", null);
  const run = h("button", { type: "button", class: "main" }, "Run");
  const cancel = h("button", { type: "button", disabled: true }, "Cancel");
  const sample = h("select", null, [["1%", "1 % of the records"], ["10%", "10 %"], ["", "all"]].map(([value, label]) => h("option", { value }, label)));
  const where = h("input", { type: "text", placeholder: "appUpdateChannel=nightly", size: 28 });

  place.append(h("div", { class: "head" }, h("h1", null, name ? h("bdi", null, name) : "Editor"), h("span", { class: "soft small" }, "tries a script on the server, in processes of its own, and keeps no version of it")),
    h("div", { class: "card" }, frame,
      h("div", { class: "controls" }, h("label", { class: "field" }, h("span", null, "Sample"), sample), h("label", { class: "field" }, h("span", null, "Where"), where), run, cancel,
        h("button", { type: "button", onclick: () => download(source.main, editor.getValue()) }, "Download")),
      role === "operator" ? status : h("p", { class: "notice" }, "You can read here, but running scripts takes the operator's token.")), output);
  if (role !== "operator") run.disabled = true;

  const editor = CodeMirror(frame, { value: text, mode: "javascript", theme: "telemetry", lineNumbers: true, lineWrapping: true, gutters: ["time", "CodeMirror-linenumbers"], tabSize: 2, screenReaderLabel: "Script",
    extraKeys: { "Ctrl-Space": "autocomplete", "Cmd-Enter": start, "Ctrl-Enter": start, Tab: false, "Shift-Tab": false }, hintOptions: { hint: (/** @type {any} */ cm) => hints(CodeMirror, cm, words), completeSingle: false } });
  editor.on("inputRead", (/** @type {any} */ cm, /** @type {any} */ change) => { if (/[.\w]$/.test(change.text.at(-1))) cm.showHint(); });
  editor.on("change", () => {
    unmark(editor);
    const value = editor.getValue();
    history.replaceState(null, "", state.link({ text: value.length <= maxLinked && value !== first ? value : null }));
  });
  // It measures itself when it is on the page.
  requestAnimationFrame(() => editor.refresh());

  let id = "";
  run.addEventListener("click", start);
  cancel.addEventListener("click", () => { if (id) send(`jobs/${id}`, undefined, "DELETE").catch((error) => replace(status, String(error.message))); });
  signal.addEventListener("abort", () => { if (id) send(`jobs/${id}`, undefined, "DELETE").catch(() => {}); });

  async function start() {
    if (run.disabled) return;
    run.disabled = true;
    cancel.disabled = false;
    unmark(editor);
    replace(output);
    replace(status, "Waits for its turn…");

    try {
      const files = { ...source.files, [source.main]: editor.getValue() };
      let job = await send("jobs", { files, main: source.main, sample: sample.value || undefined, where: where.value ? [where.value] : undefined, profile: true });
      id = job.id;
      job = await follow(job, (now) => replace(status, progress(now)), signal);
      await outcome(job, editor, source.main, status, output);
    } catch (error) {
      if (!signal.aborted) replace(status, h("span", { class: "failed" }, error instanceof Error ? error.message : String(error)));
    } finally {
      id = "";
      run.disabled = false;
      cancel.disabled = true;
    }
  }
}

/** Shows what became of a job. @param {any} job @param {any} editor @param {string} main @param {HTMLElement} status @param {HTMLElement} output */
async function outcome(job, editor, main, status, output) {
  // A script that does not load has no profile.
  const none = (/** @type {any} */ error) => { if (error.status !== 404) throw error; };
  const [log, profile] = await Promise.all([read(`jobs/${job.id}/log`), get(`jobs/${job.id}/profile`).catch(none)]);

  // Errors and warnings name their places as FILE:LINE:COLUMN.
  for (const [at, message] of places(`${job.error ?? ""}\n${log}`, main)) mark(editor, at, message);
  for (const line of profile?.lines ?? []) {
    if (line.file === main && line.line <= editor.lineCount()) {
      const share = line.seconds / profile.seconds;
      editor.setGutterMarker(line.line - 1, "time", h("span", { class: "share", title: `${number(1000 * line.seconds)} ms in this line` }, percent(share)));
    }
  }

  const ended = job.state === "done" ? `${number(job.stats?.records ?? 0)} records, ${number(job.stats?.rows ?? 0)} rows, ${number(job.stats?.failed_calls ?? 0)} failed calls.` : "";
  replace(status, job.state === "done" ? ended : h("span", { class: "failed" }, `${job.state}: ${job.error || "see what it printed"}`));

  await showResults(output, null, job);
  if (log.trim()) output.append(h("div", { class: "card" }, h("h2", null, "Printed"), h("pre", { tabindex: 0 }, log.slice(0, 20_000))));
}

/** The places of the main file that messages name. @param {string} messages @param {string} main @returns {Map<number, string>} */
function places(messages, main) {
  const found = new Map();
  for (const line of messages.split("\n")) {
    const at = line.indexOf(main + ":");
    const [, row, message] = (at < 0 ? null : /^(\d+):(?:\d+:)?\s*(.*)$/.exec(line.slice(at + main.length + 1))) ?? [];
    if (row && !found.has(Number(row))) found.set(Number(row), message);
  }
  return found;
}

/** @param {any} editor @param {number} line @param {string} message */
function mark(editor, line, message) {
  if (line < 1 || line > editor.lineCount()) return;
  editor.addLineClass(line - 1, "background", "wrong");
  editor.state.marks = [...editor.state.marks ?? [], editor.addLineWidget(line - 1, h("div", { class: "wrong-text" }, h("bdi", null, message)))];
}

/** Removes what a run has left at the lines. @param {any} editor */
function unmark(editor) {
  for (const widget of editor.state.marks ?? []) widget.clear();
  editor.state.marks = [];
  editor.eachLine((/** @type {any} */ line) => editor.removeLineClass(line, "background", "wrong"));
  editor.clearGutter("time");
}

/** What may stand at the cursor. @param {any} CodeMirror @param {any} editor @param {any} words */
function hints(CodeMirror, editor, words) {
  const cursor = editor.getCursor();
  const before = editor.getLine(cursor.line).slice(0, cursor.ch);
  const [word] = /[\w$]*$/.exec(before) ?? [""];
  const head = before.slice(0, before.length - word.length);

  const [, object] = /\b(\w+)\??\.$/.exec(head) ?? [];
  const [, module] = /from\s+"(\w*)"/.exec(editor.getLine(cursor.line)) ?? [];
  let offered = [];
  if (object) offered = words.objects[object] ?? [];
  else if (/^\s*export\s+$/.test(head)) offered = words.exports;
  else if (/from\s+"$/.test(head)) offered = Object.keys(words.modules).map((name) => ({ name, type: "", doc: "", text: "" }));
  else if (/^\s*import\s*\{[^}]*$/.test(head)) offered = module ? words.modules[module] ?? [] : Object.values(words.modules).flat();

  const list = offered.filter((/** @type {any} */ one) => one.name.startsWith(word) && one.name !== word).map((/** @type {any} */ one) => ({
    text: one.text || one.name,
    render: (/** @type {HTMLElement} */ element) => element.append(h("span", null, one.name), h("span", { class: "kind" }, ` ${one.type.slice(0, 60)}`)),
  }));
  return { list, from: CodeMirror.Pos(cursor.line, cursor.ch - word.length), to: cursor };
}

/** @param {string} name @param {string} content */
function download(name, content) {
  const url = URL.createObjectURL(new Blob([content], { type: "text/javascript" }));
  h("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}
