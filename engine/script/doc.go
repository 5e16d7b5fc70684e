// Package script runs JavaScript jobs and filters in goja: Compile bundles a
// script once with esbuild into an immutable Script, which every task runs in a
// runtime of its own. Pings are handed over as lazy views of their text, keys
// and values cross as package datum encodes them.
package script
