package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryKeyIsFlagAndVariable checks that whatever serve can be told can be told
// in three ways: a flag, the environment (TMSERVER_ and its name), and the
// configuration file, whose keys are the flags' names.
func TestEveryKeyIsFlagAndVariable(t *testing.T) {
	var c struct {
		Serve serveCmd `cmd:""`
	}
	k, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]bool{}
	for _, f := range k.Model.Children[0].Flags {
		if f.Name == "help" {
			continue
		}
		flags[f.Name] = true
		want := "TMSERVER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if len(f.Envs) != 1 || f.Envs[0] != want {
			t.Errorf("--%s is read from %q, want %s", f.Name, f.Envs, want)
		}
	}
	for key, old := range predecessorKeys {
		if !flags[old.flag] {
			t.Errorf("the predecessor's key %s stands for --%s, which is no flag", key, old.flag)
		}
	}
}
