// Package declare says what scripts see of the host, once. Out of the
// declarations come types.d.ts, the reference in docs/scripts.md, and the names
// that a did-you-mean may offer; tests compare them with a running script.
//
// To add a member or a function: declare it here, implement it in package script
// (ctx), value (pings, histograms) or bundle's lib/ (modules), and run
// UPDATE_SCRIPTS=1 go test ./engine/script/declare.
package declare
