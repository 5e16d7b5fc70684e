package ecma_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/ecma"
)

// node runs a script in Node, whose V8 is the reference for what ECMAScript says,
// with a global input. It returns the JSON that the script's function answer()
// returns.
func node(t *testing.T, script string, input any) []byte {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is not installed")
		}
		t.Skip("node is not installed")
	}

	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-e", `const input = JSON.parse(require("fs").readFileSync(0, "utf8"));`+
		script+`; process.stdout.write(JSON.stringify(answer(input)))`)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LANG=en_US.UTF-8")
	cmd.Stdin = bytes.NewReader(text)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}

	return out
}

// ours runs the same script in goja with the environment.
func ours(t *testing.T, script string, input any) []byte {
	t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	program, err := goja.Parse("script.js", "const input = JSON.parse(text); "+script+"; JSON.stringify(answer(input))")
	if err != nil {
		t.Fatal(err)
	}
	if err := ecma.Prepare(program); err != nil {
		t.Fatal(err)
	}
	compiled, err := goja.CompileAST(program, true)
	if err != nil {
		t.Fatal(err)
	}

	rt := goja.New()
	e := ecma.Install(rt)
	defer e.Close()
	rt.Set("text", string(text))
	v, err := rt.RunProgram(compiled)
	if err != nil {
		t.Fatal(err)
	}

	return []byte(v.String())
}

// compare runs a script here and in Node, and reports the cases whose answers
// differ.
func compare[T any](t *testing.T, script string, cases []T) {
	t.Helper()
	var want, got []json.RawMessage
	for _, side := range []struct {
		name    string
		text    []byte
		answers *[]json.RawMessage
	}{{"node", node(t, script, cases), &want}, {"goja", ours(t, script, cases), &got}} {
		if err := json.Unmarshal(side.text, side.answers); err != nil {
			t.Fatalf("%s: %v in %.200s", side.name, err, side.text)
		}
	}

	different := 0
	for i, c := range cases {
		if string(got[i]) == string(want[i]) {
			continue
		}
		if different++; different <= 20 {
			t.Errorf("%+q\n\tgot  %s\n\twant %s", fmt.Sprint(c), got[i], want[i])
		}
	}
	if different > 0 {
		t.Errorf("%d of %d differ", different, len(cases))
	}
}

// randomPattern makes up a pattern of the pieces whose meaning differs most between
// dialects.
func randomPattern(rng *rand.Rand, depth int) string {
	pieces := []string{
		"a", "b", "ä", "ß", "K", "s", "ſ", "é", "😀", " ", "_", "1", ".", "\\w", "\\W", "\\d", "\\D", "\\s", "\\S", "\\b", "\\B", "^", "$",
		"[a-c]", "[^a]", "[^\\w]", "[\\W_]", "[äé]", "[^\\s\\d]", "[\\d\\-x]", "[a-zA-Z0-9]", "[^]", "\\u00e4", "\\x61", "\\n", "\\t", "\\0", "[\\b]", "\\cA",
		"\\.", "\\/", "\\1", "(?:)", "\\uD83D\\uDE00", "[😀]", "(?<=a)", "(?<!b)", "(?=b)", "(?!a)", "\\k<n>", "\\2", "\\p{L}", "\\p{Lu}", "\\P{ASCII}", "\\u{61}", "[\\p{L}\\d]",
	}
	n := 1 + rng.IntN(3)
	var b strings.Builder
	for range n {
		piece := pieces[rng.IntN(len(pieces))]
		if depth > 0 && rng.IntN(3) == 0 {
			inner := randomPattern(rng, depth-1)
			if rng.IntN(3) == 0 {
				inner += "|" + randomPattern(rng, depth-1)
			}
			piece = []string{"(%s)", "(?:%s)", "(?<n>%s)", "(?=%s)", "(?!%s)", "(?<=%s)", "(?<!%s)", "(%s)"}[rng.IntN(8)]
			piece = strings.Replace(piece, "%s", inner, 1)
		}
		b.WriteString(piece)
		if rng.IntN(3) == 0 {
			b.WriteString([]string{"*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,}?", "{,2}"}[rng.IntN(10)])
		}
	}

	return b.String()
}

func randomText(rng *rand.Rand) string {
	letters := []string{"a", "b", "A", "B", "ä", "Ä", "ß", "ẞ", "k", "\u212a", "s", "ſ", "é", "e\u0301", "😀", " ", "\u00a0", "_", "1", "\n", "\r", "\u2028", "-", ".", "x"}
	var b strings.Builder
	for range rng.IntN(9) {
		b.WriteString(letters[rng.IntN(len(letters))])
	}

	return b.String()
}

func TestRandomPatternsAgainstNode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	type testCase struct {
		Pattern, Flags, Text string
	}
	var cases []testCase
	for len(cases) < 6000 {
		var flags string
		for _, f := range "gimsy" {
			if rng.IntN(3) == 0 {
				flags += string(f)
			}
		}
		flags += []string{"", "", "u", "v"}[rng.IntN(4)]
		c := testCase{randomPattern(rng, 2), flags, randomText(rng)}

		// Node 20 does not know that alternatives may share a group's name, and its
		// flag v goes by older rules about i and about [^].
		sets := strings.Contains(flags, "v")
		if strings.ContainsAny(flags, "uv") && strings.Contains(c.Text, "😀") {
			continue // V8 finds empty matches in the middle of a surrogate pair
		}
		if strings.Count(c.Pattern, "(?<n>") < 2 && !(sets && (strings.Contains(flags, "i") || strings.Contains(c.Pattern, "[^]"))) {
			cases = append(cases, c)
		}
	}

	compare(t, `function answer(cases) {
		return cases.map(({Pattern, Flags, Text}) => {
			let re
			try { re = new RegExp(Pattern, Flags) } catch (e) { return e.name }
			const m = re.exec(Text)
			re.lastIndex = 0
			const all = Flags.includes("g") ? [...Text.matchAll(re)].map(m => [m.index, m[0]]) : null
			re.lastIndex = 0
			const replaced = Text.replace(re, "<$&|$1>")
			re.lastIndex = 0
			return [m && [m.index, ...m], m && m.groups && {...m.groups}, all, replaced, Text.split(re), Text.search(re), re.lastIndex, String(re)]
		})
	}`, cases)
}
