package script

import (
	"cmp"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// Decision is what a filter decides of a record. The zero value keeps it.
type Decision struct {
	Action Action
	Reason string // of Drop and Quarantine
}

// Action is what becomes of a record.
type Action int

// The actions.
const (
	Keep       Action = iota // it is published
	Drop                     // it is counted under the reason, and gone
	Quarantine               // it is quarantined with the reason
)

// decision reads what ingest returned. It runs inside a JavaScript call: reading
// a member may run code of the script, and throw.
func (h *host) decision(returned goja.Value) Decision {
	// A filter that returns nothing has no objection.
	if goja.IsUndefined(returned) {
		return Decision{}
	}

	if goja.IsString(returned) {
		switch returned.String() {
		case "keep":
			return Decision{}
		case "drop":
			return Decision{Drop, declare.Ingest}
		}
	} else if object, ok := returned.(*goja.Object); ok {
		// Exactly one of the two, with a reason.
		drop, quarantine := object.Get("drop"), object.Get("quarantine")
		switch {
		case quarantine == nil && drop != nil && goja.IsString(drop):
			return Decision{Drop, cmp.Or(drop.String(), declare.Ingest)}
		case drop == nil && quarantine != nil && goja.IsString(quarantine):
			return Decision{Quarantine, cmp.Or(quarantine.String(), declare.Ingest)}
		}
	}

	h.ThrowType(`ingest returned %s: want "keep", "drop", {drop: "reason"} or {quarantine: "reason"}`, h.show(returned))
	return Decision{}
}
