// usage: NODE_PATH=… node shots.mjs ADDRESS FOLDER
// Pictures of every view at two widths and in both themes, for people to look at.
import { createRequire } from "node:module";
const { chromium } = createRequire(process.env.NODE_PATH + "/")("playwright-core");

const [address, folder] = process.argv.slice(2);
// Of the week, which is years before the pings that come now.
const week = "&from=20140203&to=20140209";
const views = {
  overview: "#/overview",
  explorer: "#/explorer",
  evolution: "#/explorer?measure=GC_MS&across=channel&p=50" + week,
  percentiles: "#/explorer?measure=GC_MS&p=5&p=50&p=95&pin=20140205" + week,
  distribution: "#/explorer?measure=GC_MS&show=distribution" + week,
  compared: "#/explorer?measure=CYCLE_COLLECTOR&show=distribution&across=channel" + week,
  scripts: "#/scripts",
  script: "#/scripts?script=systems.js",
  editor: "#/editor?script=systems.js",
  store: "#/store",
  quarantine: "#/quarantine",
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"], timeout: 120_000 });
for (const theme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    const page = await browser.newPage({ viewport: { width, height: width === 390 ? 844 : 860 }, colorScheme: theme, deviceScaleFactor: 1 });
    page.on("console", (message) => { if (message.type() === "error") console.error(message.text()); });
    page.on("pageerror", (error) => console.error(error.stack));
    for (const [name, hash] of Object.entries(views)) {
      await page.goto("about:blank");
      await page.goto(`${address}/${hash}`);
      await page.locator("h1").first().waitFor();
      await page.waitForTimeout(name === "overview" ? 9000 : 500);
      await page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png`, fullPage: process.env.FULL !== undefined });
    }
    await page.close();
  }
}
await browser.close();
