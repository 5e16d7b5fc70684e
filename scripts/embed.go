// Package scripts holds the JavaScript jobs that ship with tmrun; a script's
// name without ".js" is what `tmrun NAME` takes. docs/scripts.md says how to
// write one.
package scripts

import "embed"

// FS holds every shipped script at its root.
//
//go:embed *.js
var FS embed.FS
