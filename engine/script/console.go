package script

import (
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// installConsole makes console, whose methods pass a line each to sink; nil drops
// them.
func (h *host) installConsole(sink func(level, text string)) {
	console := h.rt.NewObject()
	for _, level := range declare.ConsoleMethods() {
		console.Set(level, func(call goja.FunctionCall) goja.Value {
			h.logged = true
			if sink == nil {
				return goja.Undefined()
			}

			var texts []string
			for _, argument := range call.Arguments {
				texts = append(texts, h.show(argument))
			}
			sink(level, strings.Join(texts, " "))
			return goja.Undefined()
		})
	}

	h.rt.Set("console", console)
}

// show renders a value for console and for errors: objects as JSON.
func (h *host) show(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() != "Object" && o.ClassName() != "Array" {
		return v.String()
	}

	// The script may have replaced JSON.stringify.
	if stringify := h.Method("JSON", "stringify"); stringify != nil {
		if s, err := stringify(goja.Undefined(), v); err == nil {
			return s.String()
		}
	}

	return v.String()
}
