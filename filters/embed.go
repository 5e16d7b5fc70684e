// Package filters holds the filters that ship with tmrun: schema-shaped JSON
// documents, and JavaScript for what a document cannot say.
package filters

import "embed"

// FS holds every shipped filter at its root.
//
//go:embed *.json *.js
var FS embed.FS
