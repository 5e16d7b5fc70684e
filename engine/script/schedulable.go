package script

import (
	"context"
	"encoding/json"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Schedulable returns what the script exports for a server that runs it: its title,
// schedule and the like. Errors are *Error.
func (s *Script) Schedulable(ctx context.Context, limits Limits) (found api.Exports, err error) {
	h, err := newHost(ctx, s, limits, nil, func(h *host) error {
		// Texts.
		for name, text := range map[string]*string{
			declare.Title: &found.Title, declare.Description: &found.Description, declare.Schedule: &found.Schedule,
		} {
			exported, _ := h.export(name)
			if exported == nil {
				continue
			}
			var ok bool
			if *text, ok = exported.Export().(string); !ok {
				return &Error{File: s.Name, Phase: "load", Message: name + " must be a string"}
			}
		}

		if exported, _ := h.export(declare.Live); exported != nil {
			var ok bool
			if found.Live, ok = exported.Export().(bool); !ok {
				return &Error{File: s.Name, Phase: "load", Message: declare.Live + " must be true or false"}
			}
		}

		// Objects that others read, as JSON.
		for name, object := range map[string]*json.RawMessage{
			declare.Chart: &found.Chart, declare.Alert: &found.Alert, declare.JobFilter: &found.Filter,
		} {
			exported, _ := h.export(name)
			if exported == nil {
				continue
			}
			toJSON := h.json
			if name == declare.Alert {
				toJSON = h.alertRule
			}
			if *object, err = toJSON(exported); err != nil {
				return &Error{File: s.Name, Phase: "load", Message: name + " must be an object that JSON can hold"}
			}
		}

		if len(found.Filter) == 0 {
			return nil
		}
		if _, err := schema.ParseFilter(found.Filter); err != nil {
			return &Error{File: s.Name, Phase: "load", Message: declare.JobFilter + " must be a filter document: " + err.Error()}
		}
		return nil
	})
	if err != nil {
		return api.Exports{}, err
	}

	h.close()
	return found, nil
}

// json returns a value as JSON.
func (h *host) json(value goja.Value) (json.RawMessage, error) {
	stringify, _ := goja.AssertFunction(h.rt.Get("JSON").ToObject(h.rt).Get("stringify"))
	text, err := stringify(goja.Undefined(), value)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(text.String()), nil
}
