package script_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/aitgithub/telemetry-server/engine/script"
)

func TestProfile(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"job.js": "import { spin } from './lib.js'\n\nexport function map(id, dims, ping, ctx) {\n\tfor (let i = 0; i < 2e6; i++) Math.sqrt(i)\n\tspin()\n}",
		"lib.js": "export function spin() {\n\tfor (let i = 0; i < 2e6; i++) Math.sqrt(i)\n}",
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}

	s, err := script.CompileFile("job.js")
	if err != nil {
		t.Fatal(err)
	}

	var buf bytes.Buffer
	stop, err := s.StartProfile(&buf)
	if err != nil {
		t.Fatal(err)
	}

	limits := script.DefaultLimits()
	limits.Call = 0 // profiled under the race detector, a loop takes its time
	_, _, err = job{compiled: s, limits: limits, records: []string{pingA}}.run(t.Context())
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	if err != nil {
		t.Fatal(err)
	}

	p, err := profile.Parse(&buf)
	if err != nil {
		t.Fatal(err)
	}

	type place struct {
		function, file string
		line           int64
	}

	seen := map[place]bool{}
	for _, l := range p.Location {
		f := l.Line[0].Function
		seen[place{f.Name, f.Filename, l.Line[0].Line}] = true
	}

	for _, want := range []place{{"map", "job.js", 4}, {"spin", "lib.js", 2}} {
		if !seen[want] {
			t.Errorf("the profile lacks %v: %v", want, seen)
		}
	}
}
