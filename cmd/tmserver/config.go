package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// configFile is the name of a JSON object with values for flags: {"max_body":
// 100000, "listen": ":80"}. A key is a flag's name with "_" for "-"; a key of the
// predecessor stands for the flag that took its place; a key that begins with "_" is
// ignored. Any other key is an error. The command line and the environment come first.
type configFile string

// BeforeResolve is called by kong when the flag is given.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path, st *cli.State) error {
	name := string(ctx.FlagValue(trace.Flag).(configFile))
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}

	values, err := parseConfig(text, st.Env)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}

	// A mistyped key must not be ignored.
	for _, flag := range ctx.Selected().Flags {
		delete(values.unknown, flag.Name)
	}
	if unknown := slices.Sorted(maps.Keys(values.unknown)); len(unknown) > 0 {
		key := values.unknown[unknown[0]]
		return cli.WithHint(cli.Usage("%s: unknown key %q", name, key), "tmserver serve --help lists the flags; a key is a flag's name with _ for -")
	}

	ctx.AddResolver(values)
	return nil
}

// predecessorKeys are the keys of the predecessor's configuration that stand for a flag,
// with the form of the flag's value.
var predecessorKeys = map[string]struct{ flag, format string }{
	"port":            {"listen", ":%s"},
	"max_data_length": {"max-body", "%s"},
	"max_path_length": {"max-path", "%s"},
	"max_log_age_ms":  {"max-log-age", "%sms"},
	"stats_log_file":  {"request-log", "%s"},
}

// configValues are the values of a configuration file by flag.
type configValues struct {
	byFlag  map[string]string
	unknown map[string]string // the file's keys by flag, as long as no such flag is known
	env     func(key string) string
}

// parseConfig reads a configuration file. A flag whose variable env has is not taken from
// the file.
func parseConfig(text []byte, env func(string) string) (configValues, error) {
	values := configValues{byFlag: map[string]string{}, unknown: map[string]string{}, env: env}

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number becomes a flag's text as it is spelled
	var doc map[string]any
	if err := decoder.Decode(&doc); err != nil {
		return values, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return values, errors.New("text after the document")
	}

	for key, value := range doc {
		if strings.HasPrefix(key, "_") {
			continue // switched off
		}

		text, err := flagText(value)
		if err != nil {
			return values, fmt.Errorf("key %q: %w", key, err)
		}

		// A key of the predecessor stands for its flag.
		flag := strings.ReplaceAll(key, "_", "-")
		if old, ok := predecessorKeys[key]; ok {
			flag = old.flag
			text = fmt.Sprintf(old.format, text)
		}

		if other, ok := values.unknown[flag]; ok {
			return values, fmt.Errorf("keys %q and %q mean the same", other, key)
		}
		values.byFlag[flag] = text
		values.unknown[flag] = key
	}
	return values, nil
}

// flagText returns a JSON value as it is written on the command line.
func flagText(value any) (string, error) {
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool:
		return fmt.Sprint(value), nil
	case []any:
		// kong splits at the commas.
		parts := make([]string, len(value))
		for at, element := range value {
			text, ok := element.(string)
			if !ok {
				return "", fmt.Errorf("%v in a list is no string", element)
			}
			parts[at] = text
		}

		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("%v is no string, number, boolean or list of strings", value)
}

// Validate implements kong.Resolver; BeforeResolve has validated the values.
func (configValues) Validate(*kong.Application) error { return nil }

// Resolve gives kong the value of a flag that the command line does not have.
func (v configValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	// The environment counts more, and kong has read it by itself.
	for _, env := range flag.Envs {
		if v.env(env) != "" {
			return nil, nil
		}
	}

	// A flag that is not in the file keeps its default.
	if text, ok := v.byFlag[flag.Name]; ok {
		return text, nil
	}
	return nil, nil
}
