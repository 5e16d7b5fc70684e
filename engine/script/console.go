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
			// A cached result would not print again; see Effects.
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
func (h *host) show(shown goja.Value) string {
	object, ok := shown.(*goja.Object)
	if !ok || object.ClassName() != "Object" && object.ClassName() != "Array" {
		return shown.String()
	}

	// The script may have replaced JSON.stringify.
	if stringify := h.Method("JSON", "stringify"); stringify != nil {
		if text, err := stringify(goja.Undefined(), shown); err == nil {
			return text.String()
		}
	}

	return shown.String()
}
