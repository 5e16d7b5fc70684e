package cmd_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dialect are the worst phrases of the private language in which this repository was
// once written, each with a reason that says what to write in its place. To add a
// phrase: a row here, after the text was cleaned of it.
var dialect = []struct{ phrase, why string }{
	{`whoever|which who|for who|who (wants|needs|asks|looks|takes|gives)\b`, `name the subject: "a caller that needs …"`},
	{`(to|can|cannot|can't|could|not) be had\b|\bhad both\b`, `archaic: "is available", "is not available", "if both have"`},
	{`has (the|no) say\b`, `archaic: "decides", "is not used"`},
	{`be the others|as bad as they may|namesakes?\b`, `archaic: "the others are not checked", "members with the same name"`},
	{`goes? away by (it|them)sel`, `say what ends it, or that it ends`},
	{`that which|thereof|wherein|whereof|comes? to be\b`, `archaic: begin another sentence`},
	{`is at it\b|are at it\b`, `say who does what: "another process compacts"`},
	{`heard out\b`, `say what happens: "the body is read to its end"`},
	{`\btells? of\b|\btold of\b`, `"says", "describes", "reports"`},
	{`\bmends?\b|\bmended\b|\bmending\b`, `"corrects", "fixes", "repairs" (of damage)`},
	{`\bnudge`, `"notify", "signal"`},
	{`\b(that|which|what|it|this|whose \w+) (is|are|was) none\b`, `"is not one", "is not a number" and so on`},
}

// dialectFiles are the endings of the files that are read.
var dialectFiles = []string{".go", ".md", ".js", ".mjs", ".ts", ".txtar", ".sh", "Makefile"}

// TestPlainEnglish finds the phrases of dialect in code, comments, help, errors,
// tests and docs of the whole repository. The changelog is history and stays, and so does
// what others have written.
func TestPlainEnglish(t *testing.T) {
	var all []string
	for _, d := range dialect {
		all = append(all, d.phrase)
	}
	anyPhrase := regexp.MustCompile(`(?i)` + strings.Join(all, "|"))

	eachLine(t, dialectFiles, func(name string, number int, line string) {
		if name == "CHANGELOG.md" || name == "cmd/dialect_test.go" || strings.Contains(name, "/vendor/") || !anyPhrase.MatchString(line) {
			return
		}
		for _, d := range dialect {
			if found := regexp.MustCompile(`(?i)` + d.phrase).FindString(line); found != "" {
				t.Errorf("%s:%d: %q: %s", name, number, found, d.why)
			}
		}
	})
}

// TestDatesHaveAType finds the form of a submission date outside of layout/schema,
// whose Date has every operation that the program needs.
func TestDatesHaveAType(t *testing.T) {
	const form = `"2006` + `0102"`
	eachLine(t, []string{".go"}, func(name string, number int, line string) {
		if strings.Contains(line, form) && !within(filepath.Dir(name), "layout/schema") {
			t.Errorf("%s:%d: %s: use schema.Date", name, number, form)
		}
	})
}

// eachLine calls visit for each line of the repository's files with these endings.
func eachLine(t *testing.T, endings []string, visit func(name string, number int, line string)) {
	t.Helper()
	repo := os.DirFS("..")
	err := fs.WalkDir(repo, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "data", "node_modules"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(name, ending) }) {
			return nil
		}

		file, err := repo.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 16<<20)
		for number := 1; lines.Scan(); number++ {
			visit(name, number, lines.Text())
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}
