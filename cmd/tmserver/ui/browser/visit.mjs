// usage: NODE_PATH=… node visit.mjs ADDRESS SUBMIT TOKEN VIEWER_TOKEN SCRIPTS
// Visits every view of the page, with the mouse and with the keyboard, over a store that
// has hostile pings, and exits with 1 after printing what is wrong.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
const require = createRequire(process.env.NODE_PATH + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [address, submit, token, viewer, folder] = process.argv.slice(2);
const problems = [];
const wrong = (what) => { problems.push(what); console.error("WRONG:", what); };

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"], timeout: 120_000 });
let where = "the start";

const read = async (path) => (await fetch(`${address}/api/v1/${path}`, { headers: { Authorization: `Bearer ${token}` } })).json();
let cookies; // of signing in

// A run of each script, to be shown; all have ended.
const header = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
const runs = {};
for (const { name, loaded } of (await read("scripts")).scripts) {
  if (!loaded || name === "slow.js") continue;
  const answer = await fetch(`${address}/api/v1/jobs`, { method: "POST", headers: header, body: JSON.stringify({ script: name }) });
  runs[name] = (await answer.json()).id;
}
await fetch(`${address}/api/v1/scripts/bars.js/backfill`, { method: "POST", headers: header, body: JSON.stringify({ from: "20140203", to: "20140204" }) });
while (["queued", "running"].includes((await read("scripts/bars.js/backfill")).backfill.state)) await new Promise((done) => setTimeout(done, 500));
for (const [name, id] of Object.entries(runs)) {
  let run = await read(`jobs/${id}`);
  while (["queued", "running"].includes(run.state)) {
    await new Promise((done) => setTimeout(done, 500));
    run = await read(`jobs/${id}`);
  }
  if (run.state !== (name === "throws.js" ? "failed" : "done")) wrong(`the run of ${name}: ${run.state}, ${run.error}`);
}

/** A page whose errors, alerts, reports of the policy and requests elsewhere are noted. */
async function open(options) {
  const page = await browser.newPage({ ...options, storageState: cookies });
  page.setDefaultTimeout(90_000);
  page.on("console", (message) => { if (message.type() === "error" || /Content.Security.Policy/i.test(message.text())) wrong(`${where}: console: ${message.text()}`); });
  page.on("pageerror", (error) => wrong(`${where}: ${error.stack}`));
  page.on("dialog", async (dialog) => { wrong(`${where}: a dialog: ${dialog.message()}`); await dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(address) && !/^(data|blob|about):/.test(request.url())) wrong(`${where}: asks for ${request.url()}`); });
  return page;
}

async function check(page, all) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 1) wrong(`${where}: ${wide} pixels wider than the window`);
  if (!all) return;
  // axe is run through the debugger, which the page's policy does not forbid.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const violation of found.violations) {
    if (violation.impact === "serious" || violation.impact === "critical") wrong(`${where}: axe ${violation.id}: ${violation.nodes.slice(0, 3).map((node) => node.html + " " + node.failureSummary).join(" | ").slice(0, 900)}`);
  }
}

async function go(page, hash, name) {
  where = `${name} (${page.viewportSize().width} px)`;
  await page.goto("about:blank");
  await page.goto(`${address}/${hash}`);
  await page.locator("#content h1").first().waitFor();
  await page.waitForLoadState("networkidle");
  if (await page.locator('#content [role="alert"]').filter({ hasText: /./ }).count()) wrong(`${where}: ${await page.locator('#content [role="alert"]').first().textContent()}`);
}

// Signing in: a wrong token leads nowhere, the right one to the page.
{
  where = "sign-in";
  const page = await browser.newPage();
  page.setDefaultTimeout(90_000);
  await page.goto(address);
  await page.locator("input[type=password]").fill("not " + token);
  await page.keyboard.press("Enter");
  await page.getByText("not a token of this server").waitFor();
  if (await page.locator("#content h1").count()) wrong("a wrong token leads to the page");
  await page.goto(address);
  await page.locator("input[type=password]").fill(token);
  await page.keyboard.press("Enter");
  await page.locator("#content h1").first().waitFor();
  if (await page.evaluate(() => document.cookie)) wrong("scripts can read the cookie");
  cookies = await page.context().storageState();
  await page.close();
}

const names = await read("measures");
const measure = names.measures.filter((one) => one.kind === "histogram").sort((a, b) => b.pings - a.pings)[0].name;
const evil = names.measures.find((one) => one.name.includes("<script>"))?.name;
if (!evil) wrong("the hostile ping's measure is not there");
const of = (name, more = "") => `#/explorer?measure=${encodeURIComponent(name)}${more}`;
const store = (await read("store")).segments;
const segment = store.find((one) => one.dims.some((dim) => dim.includes("script")) && !one.quarantined) ?? store[0];

const views = {
  overview: "#/overview", explorer: "#/explorer", evolution: of(measure, "&across=channel"), version: of(measure, "&by=version&line=mean"),
  share: of(measure, "&line=share"), distribution: of(measure, "&show=distribution"), compared: of(measure, "&show=distribution&across=channel"), clients: of(measure, "&weigh=clients&show=distribution"),
  cumulative: of(measure, "&show=distribution&cumulative=1&log=1&side=1&across=channel"), hostile: of(evil ?? measure, "&show=distribution"), "hostile over time": of(evil ?? measure),
  "no such measure": of("nothing"), scripts: "#/scripts", ...Object.fromEntries(Object.keys(runs).map((name) => [`script ${name}`, `#/scripts?script=${name}`])),
  "no run": "#/scripts?script=broken.js", "no such script": "#/scripts?script=none.js", "hostile run": `#/scripts?script=hostile.js&run=${runs["hostile.js"]}`, "failed run": `#/scripts?script=throws.js&run=${runs["throws.js"]}`, store: "#/store", partition: `#/store?in=${encodeURIComponent(segment.dims[0])}`, records: `#/store?segment=${encodeURIComponent(segment.path)}`,
  quarantine: "#/quarantine", editor: "#/editor", examples: `#/quarantine?class=${encodeURIComponent((await read("quarantine")).classes[0]?.class ?? "")}`,
};

for (const [width, colorScheme] of [[1280, "light"], [390, "dark"], [1280, "dark"], [390, "light"]]) {
  const page = await open({ viewport: { width, height: 860 }, colorScheme });
  for (const [name, hash] of Object.entries(views)) {
    // All in one theme at each width; the other theme for the colours of the main ones.
    if ((width === 1280) === (colorScheme === "dark") && !["overview", "compared", "quarantine", "editor", "scripts", "script heat.js"].includes(name)) continue;
    await go(page, hash, name);
    await check(page, colorScheme === "light" && width === 1280 || ["overview", "compared", "hostile", "quarantine", "editor", "scripts", "hostile run"].includes(name));
  }
  await page.close();
}

// Every link of the navigation has been visited.
const page = await open({ viewport: { width: 1280, height: 860 }, acceptDownloads: true });
await go(page, "#/overview", "navigation");
for (const link of await page.locator("#nav a").all()) {
  const view = (await link.getAttribute("href")).replace("#/", "");
  if (!views[view]) wrong(`view ${view} is not visited by this test`);
}

// With the keyboard: the first Tab leads to the content, and a chart reads its buckets.
where = "keyboard";
await page.keyboard.press("Tab");
if (!/Skip/.test(await page.evaluate(() => document.activeElement?.textContent ?? ""))) wrong("the first Tab does not lead to the skip link");
await go(page, of(measure, "&show=distribution"), "keyboard");
await page.locator("#content .chart[tabindex]").first().focus();
await page.keyboard.press("ArrowRight");
if (!/\(.*%\)/.test(await page.locator(".tooltip").first().textContent())) wrong("the arrow keys do not read the buckets");

// From a bar to the records behind it, which the editor finds.
await page.keyboard.press("Enter");
await page.waitForFunction(() => location.hash.startsWith("#/editor?text="));
await page.getByLabel("Sample").selectOption("");
await page.getByRole("button", { name: "Run" }).click();
await page.locator("#content [role=status]", { hasText: /[1-9]\d* rows, 0 failed calls/ }).waitFor();
await page.locator("th", { hasText: "document" }).waitFor();
await go(page, of(measure, "&show=distribution"), "keyboard");

// A cohort is an expression over the ping; a job finds its distribution, and a link keeps it.
await page.getByLabel("Pings for which this is true").fill('dims.appUpdateChannel === "release"');
await page.getByLabel("Cohort's sample").selectOption("all");
await page.getByRole("button", { name: "Compare" }).click();
await page.locator(".legend li", { hasText: "the cohort" }).waitFor();
await page.getByRole("cell", { name: "the others − the cohort" }).first().waitFor();
await check(page, true);
if (!page.url().includes("cohort=dims")) wrong("the URL does not keep the cohort");
await page.getByLabel("Pings for which this is true").fill("ping.(");
await page.getByRole("button", { name: "Compare" }).click();
await page.locator("[role=status] .failed", { hasText: "cohort.js" }).waitFor();
await go(page, of(measure, "&show=distribution"), "keyboard");

// Every form of a chart is saved, and the HTML stands alone.
where = "export";
for (const form of ["CSV", "JSON", "PNG", "SVG", "HTML"]) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".tools button", { hasText: form }).click()]);
  const text = readFileSync(await download.path());
  if (text.length < 60) wrong(`${form} has ${text.length} bytes`);
  if (form === "HTML" && (/src=|<script|href=/.test(text.toString()) || !text.includes("<svg"))) wrong("the HTML file does not stand alone");
  if (form === "JSON") JSON.parse(text.toString());
}

// Points are read and pinned with the keyboard, which stays where it was; a saved picture names its lines.
await go(page, of(measure, "&across=channel"), "keyboard");
await page.locator("#content .chart[tabindex] canvas").waitFor();
await page.locator("#content .chart[tabindex]").focus();
await page.keyboard.press("ArrowRight");
await page.locator("#content [role=status]", { hasText: /^2014-.*median \d/ }).waitFor();
await page.keyboard.press("Enter");
await page.waitForFunction(() => location.hash.includes("pin=") && document.activeElement?.matches(".chart[tabindex]"));
const [saved] = await Promise.all([page.waitForEvent("download"), page.locator(".tools button", { hasText: "SVG" }).click()]);
const drawing = readFileSync(await saved.path(), "utf8");
if (!drawing.includes(`>${measure}<`) || !/>release, median</.test(drawing)) wrong("the saved picture has no title or legend");

// What is chosen is in the URL, and the URL shows it again.
where = "address";
await go(page, of(measure), "address");
await page.getByRole("button", { name: "Per client" }).click();
await page.waitForFunction(() => location.hash.includes("weigh=clients"));
await page.reload();
if (await page.getByRole("button", { name: "Per client" }).getAttribute("aria-pressed") !== "true") wrong("the URL does not keep the weight");

// The editor runs a script, shows an error at its line, and offers what scripts see.
where = "editor";
await go(page, "#/editor", "editor");
await page.getByLabel("Sample").selectOption("");
await page.getByRole("button", { name: "Run" }).click();
await page.locator("#content [role=status]", { hasText: /[1-9]\d* rows, 0 failed calls/ }).waitFor();
await page.evaluate(() => document.querySelector(".CodeMirror").CodeMirror.setValue("export function map(id, dims, ping, ctx) {\n  ping.nothing.there()\n}\n"));
await page.getByRole("button", { name: "Run" }).click();
await page.locator(".wrong-text", { hasText: "TypeError" }).waitFor();
await page.evaluate(() => { const editor = document.querySelector(".CodeMirror").CodeMirror; editor.focus(); editor.setCursor(editor.lineCount(), 0); });
await page.keyboard.type("export function f(ctx) { ctx.wr");
await page.locator(".CodeMirror-hint", { hasText: "writeRow" }).waitFor();

// A script that is dropped into the folder appears, runs, and shows its chart, without loading the page again.
await go(page, "#/scripts", "a new script");
writeFileSync(`${folder}/dropped.js`, "export const title = 'Just dropped'\nexport function map(id, dims, ping, ctx) { ctx.write(dims.appName, 1) }\nexport function reduce(key, counts, ctx) { ctx.write(key, counts.length) }\n");
await page.getByRole("link", { name: "Just dropped" }).click();
await page.getByRole("button", { name: "Run now" }).click();
await page.locator('#content .chart svg[role="img"]').waitFor();
await page.getByRole("cell", { name: "Firefox", exact: true }).first().waitFor();

// The shapes have their charts.
for (const [name, mark] of [["bars.js", ".chart rect title"], ["dates.js", ".chart path"], ["heat.js", ".chart rect[fill-opacity]"], ["buckets.js", ".legend li"], ["bounds.js", ".chart[tabindex] rect"]]) {
  await go(page, views[`script ${name}`], name);
  if (await page.locator(`#content ${mark}`).count() === 0) wrong(`${name} has no ${mark}`);
}

await go(page, views["script bars.js"], "days");
if (await page.getByRole("row", { name: /2014-02-04 new/ }).count() !== 1) wrong("the days of a backfill are not shown");

if (!(await page.locator("#content").textContent()).includes("above 1")) wrong("the alert is not shown");
await go(page, views["script dates.js"], "alert");
if (!(await page.locator("#content").textContent()).includes("days, before undefined")) wrong("what the function alert says is not shown");

// A histogram has the bounds of its buckets.
for (const name of ["buckets.js", "bounds.js"]) {
  await go(page, views[`script ${name}`], name);
  await page.locator("#content .chart[tabindex]").focus();
  await page.keyboard.press("ArrowRight");
  const said = await page.locator(".tooltip").first().textContent();
  if (!(name === "buckets.js" ? /^\d+ – \d+ · / : /^\d+ · /).test(said)) wrong(`${name} reads its buckets as ${said}`);
}

// A run that goes on is cancelled. Its script takes a minute or more.
await go(page, "#/scripts?script=slow.js", "cancel");
await page.getByRole("button", { name: "Run now" }).click();
await page.locator("#content .badge.busy").first().waitFor();
await page.getByRole("button", { name: "Cancel" }).click();
await page.getByRole("cell", { name: /cancelled/ }).first().waitFor();
await page.getByRole("button", { name: "Run now" }).waitFor();
if ((await read("jobs?script=slow.js")).jobs[0].state !== "cancelled") wrong("the run was not cancelled");

// A viewer sees everything, and can neither start nor cancel nor try a script, with the page or past it.
{
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const reader = await context.newPage();
  reader.setDefaultTimeout(90_000);
  await reader.goto(address);
  await reader.locator("input[type=password]").fill(viewer);
  await reader.keyboard.press("Enter");
  await reader.locator("#content h1").first().waitFor();
  await go(reader, views["script bars.js"], "viewer");
  await reader.locator("#content .chart").first().waitFor();
  if (await reader.getByRole("button", { name: /Run now|Cancel/ }).count()) wrong("a viewer is offered to start or cancel");
  await go(reader, "#/editor?script=bars.js", "viewer");
  await reader.getByText("takes the operator's token").waitFor();
  if (await reader.getByRole("button", { name: "Run" }).isEnabled()) wrong("a viewer can run what is in the editor");
  await go(reader, of(measure, "&show=distribution"), "viewer");
  if (await reader.getByRole("button", { name: "Compare" }).isEnabled()) wrong("a viewer can compare a cohort");
  const answers = await reader.evaluate(async (id) => Promise.all([["POST", "jobs", { script: "bars.js" }], ["POST", "jobs", { files: { "a.js": "" }, main: "a.js" }], ["DELETE", `jobs/${id}`], ["POST", "scripts/bars.js/backfill", { from: "20140203", to: "20140203" }], ["DELETE", "scripts/bars.js/backfill"]]
    .map(async ([method, path, body]) => (await fetch(`/api/v1/${path}`, { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) })).status)), runs["bars.js"]);
  if (answers.some((status) => status !== 403)) wrong(`a viewer's requests are answered ${answers}`);
  await context.close();
}

// A ping that arrives is seen without loading the page again.
await go(page, "#/overview", "live");
const tile = page.locator(".tile", { hasText: "since the start" }).first();
const before = Number(/([\d,]+) since/.exec(await tile.textContent())[1].replaceAll(",", ""));
for (let i = 0; i < 3; i++) {
  const answer = await fetch(`${submit}/submit/telemetry/live-${i}-${process.pid}`, { method: "POST", body: "{}" });
  if (answer.status !== 200) wrong(`a ping was answered ${answer.status}`);
}
await page.waitForFunction((count) => [...document.querySelectorAll(".tile")].some((tile) => Number(/([\d,]+) since/.exec(tile.textContent)?.[1].replaceAll(",", "")) >= count), before + 3);

await browser.close();
console.log(`${Object.keys(views).length} views, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
