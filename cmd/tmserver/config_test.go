package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryKeyIsFlagAndVariable checks that each setting of serve can be given in three
// ways: by a flag, by a variable of the environment (TMSERVER_ and the flag's name), and
// in the configuration file, whose keys are the flags' names.
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
