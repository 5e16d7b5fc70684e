// usage: NODE_PATH=… node speed.mjs ADDRESS MEASURE
// How long the page takes: bytes over the wire, first paint, and choices in the explorer from the
// change of the address to the drawn chart. Each in a fresh browser or address, medians of five.
import { createRequire } from "node:module";
const { chromium } = createRequire(process.env.NODE_PATH + "/")("playwright-core");

const [address, measure] = process.argv.slice(2);
const rounds = 5;
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const say = (what, list, unit) => console.log(`${what.padEnd(44)} ${Math.round(median(list)).toLocaleString("en").padStart(9)} ${unit}   (${list.map(Math.round).join(", ")})`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"], timeout: 120_000 });
const paints = [], bytes = [];
let page;
for (let i = 0; i < rounds; i++) {
  page = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage();
  await page.goto(`${address}/#/explorer`);
  await page.locator("#content h1").first().waitFor();
  await page.waitForLoadState("networkidle");
  const found = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, one) => sum + one.transferSize, 0),
  }));
  paints.push(found.paint);
  bytes.push(found.bytes);
}
say("first contentful paint", paints, "ms");
say("over the wire, with the list of measures", bytes, "bytes");

const of = (more) => `#/explorer?measure=${encodeURIComponent(measure)}${more}`;
for (const [name, hash, drawn] of [
  ["evolution", of(""), "canvas"], ["evolution, by channel", of("&across=channel"), "canvas"], ["evolution by build, per client", of("&by=build&weigh=clients"), "canvas"],
  ["distribution", of("&show=distribution"), ".chart[tabindex] svg"], ["distribution, by system", of("&show=distribution&across=os"), ".chart[tabindex] svg"],
]) {
  const times = [];
  for (let i = 0; i < rounds; i++) {
    times.push(await page.evaluate(async ([hash, drawn]) => {
      const content = document.getElementById("content"), before = content.firstChild, start = performance.now();
      location.hash = hash;
      while (content.firstChild === before || !content.querySelector(drawn)) await new Promise(requestAnimationFrame);
      return performance.now() - start;
    }, [`${hash}&round=${i}`, drawn]));
  }
  say(name, times, "ms");
}
await browser.close();
