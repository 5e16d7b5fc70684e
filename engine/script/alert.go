package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// maxAlertText bounds the message of an alert; what is longer is cut off.
const maxAlertText = 1000

// Alert calls the script's function alert with the rows of a run and those of the run before,
// each a JSON array, previous null if there are none. It returns the message of the alert, ""
// if there is nothing to warn of. Errors are *Error.
func (s *Script) Alert(ctx context.Context, limits Limits, console func(level, text string), rows, previous []byte) (message string, err error) {
	h, err := newHost(ctx, s, limits, console, func(*host) error { return nil })
	if err != nil {
		return "", err
	}
	defer h.close()

	err = h.guard(func() error {
		alert := h.function(declare.Alert)
		if alert == nil {
			return errors.New("the script exports no function alert")
		}

		// Rows are of the script's own runtime, as if it had parsed them.
		var arguments []goja.Value
		parse, _ := goja.AssertFunction(h.rt.Get("JSON").ToObject(h.rt).Get("parse"))
		for _, text := range [][]byte{rows, previous} {
			parsed, err := parse(goja.Undefined(), h.rt.ToValue(string(text)))
			if err != nil {
				return err
			}
			arguments = append(arguments, parsed)
		}

		returned, err := alert(goja.Undefined(), arguments...)
		if err == nil {
			message, err = h.alertText(returned)
		}
		return err
	})
	return message, s.wrap(err, declare.Alert, "")
}

// alertText reads what alert returned: false or nothing, true, a text, or an object with one.
func (h *host) alertText(returned goja.Value) (string, error) {
	text := returned
	object, isObject := returned.(*goja.Object)
	if isObject {
		text = object.Get("message")
	}

	switch said := export(text).(type) {
	case string:
		letters := []rune(said)
		return string(letters[:min(len(letters), maxAlertText)]), nil
	case bool:
		if said && !isObject {
			return "alert returned true", nil
		}
		if !isObject {
			return "", nil
		}
	case nil:
		if !isObject {
			return "", nil
		}
	}
	return "", fmt.Errorf("alert returned %s: want false, true, a text, or an object with a text as its message", h.show(returned))
}

// export is value.Export, also of no value.
func export(value goja.Value) any {
	if value == nil {
		return nil
	}
	return value.Export()
}

// alertRule returns the rule that the script's alert is, as JSON: an object says it, and a
// function is called after each run.
func (h *host) alertRule(exported goja.Value) (json.RawMessage, error) {
	if _, ok := goja.AssertFunction(exported); ok {
		return json.RawMessage(`{"function":true}`), nil
	}
	return h.json(exported)
}
