// Package ui is the web page of the admin address: its files, and the handler that serves
// them. In comes a request for a file; out goes the file.
//
//	web/      our modules of JavaScript, HTML and CSS, served at / as they are
//	vendor/   unmodified files of npm packages; packages.json says of which
//
// The page:
//
//  1. index.html loads main.js, which shows the view that the URL names after its #.
//  2. A view (view_*.js) fetches JSON of /api/v1/ and makes elements with h (dom.js). What
//     clients sent is only ever put in as text.
//  3. Charts: lines by uPlot (lines.js), the rest as SVG (bars.js), exports by export.js. Rows of a
//     script's result have a chart by their shape (rows.js).
//  4. Numbers of histograms (percentiles, densities, bootstrap) are in stats.js.
//
// To add a view:
//
//  1. web/view_NAME.js, which exports show(place, state).
//  2. Its row in views, main.js, and its name in browser/visit.mjs. TestBrowser visits all and
//     fails for one that is not visited, has an error, a report of the policy, or a
//     serious finding of axe-core.
package ui
