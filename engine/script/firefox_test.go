package script_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestFirefox: the module firefox, also for what analysts get by mistake.
func TestFirefox(t *testing.T) {
	tests := [][2]string{
		{`parseBuildID("20140301030201").toISOString()`, "2014-03-01T03:02:01.000Z"},
		{`parseBuildID(20140301030201).getTime() === Date.UTC(2014, 2, 1, 3, 2, 1)`, "true"},
		{`["20140301", "2014030112", "201403011259", "20160229000000"].map((id) => parseBuildID(id).toISOString().slice(0, 16)).join()`, "2014-03-01T00:00,2014-03-01T12:00,2014-03-01T12:59,2016-02-29T00:00"},
		{`["", "OTHER", "2014", "201403010", "20140230", "20141301", "2014030124", "201403011260", "00010101", "2014030103020100", "20140301T", undefined, null].map(parseBuildID).join()`, ",,,,,,,,,,,,"},
		{`buildAge("20140301120000", "20140311")`, "9.5"},
		{`[buildAge("OTHER", "20140311"), buildAge("20140311", undefined)].join()`, ","},
		{`"28.0.1 9.0 OTHER 28.0 28.0b1 100.0 28.0a1 28.0a2 28.0b10".split(" ").sort(compareVersions).join(" ")`, "OTHER 9.0 28.0a1 28.0a2 28.0b1 28.0b10 28.0 28.0.1 100.0"},
		{`compareVersions("29", "29.0.0")`, "0"},
		{`attempt(() => compareVersions(undefined, "29"))`, "TypeError: compareVersions: undefined is not a string"},
		{`attempt(() => compareVersions("29", 29.1))`, "TypeError: compareVersions: 29.1 is not a string"},
		{`["28.0a1", "100.0.2", "3", "3.6.28pre", "17.0.11esr", "4.0b8pre"].map(majorVersion).join()`, "28,100,3,3,17,4"},
		{`["", "OTHER", "a1", "28.", "28..0", "28.0 ", undefined, "28.0-x"].map(majorVersion).join()`, ",,,,,,,"},
		{`["28.0a1", "28.0a2", "28.0b3", "28.0", "28.0.1", "17.0.11esr", "17.0.11esrpre", "4.0b8pre", "OTHER"].map(channelOfVersion).join()`, "nightly,aurora,beta,release,release,esr,esr,nightly,"},
		{`["release", "beta-cck-mozilla15", "beta_cck_x", "nightly-larch", "default", "", undefined, "esr", "aurora", "Release"].map(normalizeChannel).join()`, "release,beta,beta,OTHER,OTHER,OTHER,OTHER,esr,aurora,OTHER"},
	}

	var text strings.Builder
	text.WriteString(`import { parseBuildID, buildAge, compareVersions, majorVersion, channelOfVersion, normalizeChannel } from "firefox"
		const attempt = (f) => { try { return f() } catch (e) { return String(e) } }
		export function map(id, dims, ping, ctx) {`)
	for i, tt := range tests {
		fmt.Fprintf(&text, "\nctx.write(%d, String(%s))", i, tt[0])
	}
	text.WriteString("\n}")

	out, _, err := job{text: text.String(), records: []string{pingA}}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, tt := range tests {
		if _, got, _ := strings.Cut(lines[i], "\t"); got != tt[1] {
			t.Errorf("%s: got %q, want %q", tt[0], got, tt[1])
		}
	}
}
