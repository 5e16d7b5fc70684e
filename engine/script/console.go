package script

import (
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// installConsole makes console.log and its kin.
func (h *host) installConsole(sink func(level, text string)) {
	c := h.rt.NewObject()
	for _, level := range declare.ConsoleMethods() {
		c.Set(level, func(call goja.FunctionCall) goja.Value {
			h.logged = true
			if sink == nil {
				return goja.Undefined()
			}
			var b strings.Builder
			for i, a := range call.Arguments {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(h.show(a))
			}
			sink(level, b.String())
			return goja.Undefined()
		})
	}
	h.rt.Set("console", c)
}

// show renders a value for console: objects as JSON.
func (h *host) show(v goja.Value) string {
	if o, ok := v.(*goja.Object); ok && (o.ClassName() == "Object" || o.ClassName() == "Array") {
		stringify, _ := goja.AssertFunction(h.rt.Get("JSON").ToObject(h.rt).Get("stringify"))
		if s, err := stringify(goja.Undefined(), v); err == nil {
			return s.String()
		}
	}
	return v.String()
}
