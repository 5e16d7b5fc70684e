package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cachedJob does what the records ask for: fail in each of its functions, look up a
// definition, or just count.
const cachedJob = `
import { one } from "./one.js"
let late = false
export function map(id, dims, ping, ctx) {
  switch (ping.do) {
    case "map": throw new Error("map fails")
    case "finish": late = true; break
    case "combine": ctx.write("sum", -1); ctx.write("sum", -1); break
    case "layout": ctx.write(ping.layout("GC_MS"), 1); break
  }
  ctx.write("sum", one)
}
export function mapFinished(ctx) {
  ctx.write("finished", 1)
  if (late) throw new Error("mapFinished fails")
}
export function combine(key, values, ctx) {
  let sum = 0
  for (const value of values) {
    if (value < 0) throw new Error("combine fails")
    sum += value
  }
  ctx.write(key, sum)
}
export function reduce(key, values, ctx) {
  let sum = 0
  for (const value of values) sum += value
  ctx.write(key, sum)
}
`

// cachedFilter fails on a record that asks for it.
const cachedFilter = `
export function match(id, dims, ping) {
  if (ping.do === "match") throw new Error("match fails")
  return ping.do !== "skip"
}
`

// cachedWorld is a folder in which jobs run, and what random steps change in it.
type cachedWorld struct {
	t      *testing.T
	dir    string
	random *rand.Rand
}

// pick returns one of choices.
func (w *cachedWorld) pick(choices ...string) string { return choices[w.random.IntN(len(choices))] }

// write replaces a file below the folder.
func (w *cachedWorld) write(name, text string) {
	w.t.Helper()

	path := filepath.Join(w.dir, name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		w.t.Fatal(err)
	}
}

// changeData replaces a segment, sometimes by another one of the same size.
func (w *cachedWorld) changeData() {
	var text strings.Builder
	for record := range 3 {
		// Most records do not fail, so that most tasks are cached.
		do := w.pick("count", "layout", "layout", "skip")
		if w.random.IntN(8) == 0 {
			do = w.pick("map", "match", "finish", "combine")
		}
		fmt.Fprintf(&text, "id%d\t{\"do\":%-10q,\"info\":{\"revision\":\"http://hg.mozilla.org/mozilla-central/rev/aaaaaaaaaaaa\"}}\n", record, do)
	}

	day := 10 + w.random.IntN(4)
	w.write(fmt.Sprintf("data/published/saved_session/Firefox/nightly/26.0a1/1.201309%d.v2.log", day), text.String())
}

// changeDefinitions replaces or removes the definitions in one of the two folders.
func (w *cachedWorld) changeDefinitions() {
	name := w.pick("data/histogram_cache", "data/histogram_cache", "other") + "/mozilla-central/aaaaaaaaaaaa/Histograms.json"
	if w.random.IntN(6) == 0 {
		os.Remove(filepath.Join(w.dir, name))
		return
	}

	high := w.pick("30", "40", "50")
	w.write(name, `{"GC_MS": {"kind": "linear", "low": 10, "high": `+high+`, "n_buckets": 4, "description": ""}}`)
}

// flags returns random flags of a run.
func (w *cachedWorld) flags() []string {
	flags := []string{"--max-errors", w.pick("0", "-1", "-1"), "--call-timeout", w.pick("30s", "30s", "31s")}
	if w.random.IntN(3) == 0 {
		flags = append(flags, "-f", "filter.js")
	}
	if w.random.IntN(4) == 0 {
		flags = append(flags, "--revision-cache", "other")
	}
	if w.random.IntN(8) == 0 {
		flags = append(flags, "--dedup", "latest")
	}
	if w.random.IntN(3) == 0 {
		flags = append(flags, "--isolate")
	}
	return flags
}

// run returns a run's output with its exit code, and whether any task was cached.
func (w *cachedWorld) run(flags ...string) (result string, cached bool) {
	w.t.Helper()

	cmd := exec.CommandContext(w.t.Context(), "tmrun", append(flags, "-d", "data", "-w", "work", "job.js")...)
	cmd.Dir = w.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr

	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		w.t.Fatal(err)
	}
	result = fmt.Sprintf("exit code %d\n%s", cmd.ProcessState.ExitCode(), stdout.String())
	return result, strings.Contains(stderr.String(), "in the cache")
}

// TestCachedRunsAnswerAsOthers: after random changes of data, definitions and scripts, and
// whatever failed in earlier runs, a run with random flags has the rows and the exit code
// that it has with --no-cache.
func TestCachedRunsAnswerAsOthers(t *testing.T) {
	const sequences, steps = 5, 14
	var hits int

	for seed := range uint64(sequences) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			w := &cachedWorld{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 11))}
			w.write("job.js", cachedJob)
			w.write("one.js", "export const one = 1")
			w.write("filter.js", cachedFilter)
			w.write("data/state/keep", "")
			w.write("data/histogram_cache/keep", "")
			w.write("other/keep", "")
			w.write("work/keep", "")
			for range 3 {
				w.changeData()
				w.changeDefinitions()
			}

			// Few sets of flags, so that runs find what others have cached.
			habits := [][]string{w.flags(), w.flags()}
			for step := range steps {
				// What happens between two runs.
				change := w.random.IntN(6)
				switch change {
				case 0:
					w.changeData()
				case 1, 2, 3:
					w.changeDefinitions()
				case 4:
					w.write("one.js", "export const one = "+w.pick("1", "2"))
				}

				// One set of flags in four differs only in what it tolerates.
				flags := habits[w.random.IntN(len(habits))]
				if w.random.IntN(4) == 0 {
					flags = append(slices.Clone(flags), "--max-errors", w.pick("0", "-1"))
				}

				want, _ := w.run(append(slices.Clone(flags), "--no-cache")...)
				got, cached := w.run(flags...)
				if got != want {
					t.Fatalf("step %d, change %d, %q: %s\nwith --no-cache: %s", step, change, flags, got, want)
				}
				if cached {
					hits++
				}
			}
		})
	}

	// Without hits the test would show nothing.
	if hits < sequences*steps/4 {
		t.Errorf("only %d runs found anything in the cache", hits)
	}
	t.Logf("%d runs found something in the cache", hits)
}
