package cmd_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// section returns the text of README's section of that heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(readREADME(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// tableRows returns the cells of a section's table rows, without the heads.
func tableRows(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	lines := strings.Split(section(t, heading), "\n")
	for i, line := range lines {
		isHead := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "| ---")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || isHead {
			continue
		}

		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

// TestReadmeWords: each word of the glossary is there once, with one sentence.
func TestReadmeWords(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range tableRows(t, "The words") {
		word := row[0]
		if strings.HasPrefix(word, "**") { // a heading within the table
			continue
		}

		if seen[word] {
			t.Errorf("README explains %q twice", word)
		}
		seen[word] = true
		if len(row) != 2 || len(row[1]) < 8 {
			t.Errorf("README does not explain %q: %q", word, row)
		}
	}
	if len(seen) < 60 {
		t.Errorf("README explains %d words only", len(seen))
	}
}

// TestReadmePackages: every package of the module is in README's map, and every folder
// of the map exists.
func TestReadmePackages(t *testing.T) {
	var mapped []string
	folder := regexp.MustCompile("`([a-z0-9/]+)/`")
	for _, row := range tableRows(t, "The packages") {
		for _, match := range folder.FindAllStringSubmatch(row[0], -1) {
			mapped = append(mapped, match[1])
			if _, err := os.Stat("../" + match[1]); err != nil {
				t.Errorf("README's map of the packages: %v", err)
			}
		}
	}

	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if name != "cmd" && !slices.Contains(mapped, name) { // cmd has tests only
			t.Errorf("%s is not in README's map of the packages: add its row", name)
		}
	}
}

// TestReadmeRecipes: each recipe that README points at is there, and the files and
// names that it mentions exist.
func TestReadmeRecipes(t *testing.T) {
	files, names := sourceNames(t)
	listed := map[string]bool{}
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, row := range tableRows(t, "To add something") {
		match := link.FindStringSubmatch(row[len(row)-1])
		if match == nil {
			t.Errorf("%q: the row has no link", row)
			continue
		}

		file := match[1]
		listed[file] = true
		text := recipes(t, file)
		if text == "" {
			t.Errorf("%s has no text \"To add …\"", file)
		}
		checkMentions(t, file, text, files, names)
	}

	// And README points at every package that has recipes. Where a text only says
	// which package has the recipe, it uses the word.
	for _, file := range files {
		file = file[1:] // without the slash
		if path.Base(file) != "doc.go" || listed[file] {
			continue
		}
		text := recipes(t, file)
		if text != "" && !strings.Contains(text, "recipe") {
			t.Errorf("%s says how to add something: add its row to README", file)
		}
	}
}

// recipes returns the paragraphs and lists of a Go file's comments that follow
// "To add".
func recipes(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../" + file)
	if err != nil {
		t.Error(err)
		return ""
	}

	var found strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		comment, ok := strings.CutPrefix(line, "//")
		if !ok || strings.HasPrefix(comment, " # ") {
			inside = false // the end of the comment, or another heading
		}
		if ok && strings.Contains(comment, "To add ") {
			inside = true
		}
		if inside {
			found.WriteString(comment)
		}
	}
	return found.String()
}

// mention matches what a recipe may name: a file, a path, or a name of Go or
// JavaScript. Words of prose have no capital or dot inside.
var mention = regexp.MustCompile(`[A-Za-z_][\w/]*(?:\.\w+)*\.(?:go|js|ts|json|md)\b|\b[A-Za-z]\w*[a-z][A-Z]\w*\b`)

// prose are words that only look like names.
var prose = []string{"JavaScript", "TypeScript", "ECMAScript"}

// checkMentions checks that the files and names in the text of a recipe exist.
func checkMentions(t *testing.T, recipe, text string, files []string, names map[string]bool) {
	t.Helper()
	for _, word := range mention.FindAllString(text, -1) {
		switch {
		case slices.Contains(prose, word) || strings.Contains(word, "NAME"): // NAME is for the reader to replace
		case strings.Contains(word, "."):
			if !slices.ContainsFunc(files, func(file string) bool { return strings.HasSuffix(file, "/"+word) }) {
				t.Errorf("%s: there is no file %s", recipe, word)
			}
		case !names[word]:
			t.Errorf("%s: %s is in no source file", recipe, word)
		}
	}
}

// sourceNames returns the paths of all files, each after a slash, and the
// identifiers of those in Go.
func sourceNames(t *testing.T) (files []string, names map[string]bool) {
	t.Helper()
	names = map[string]bool{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files = append(files, "/"+name)
		if !strings.HasSuffix(name, ".go") {
			return nil
		}

		// Without comments: a recipe must not prove itself.
		text, err := os.ReadFile("../" + name)
		if err != nil {
			return err
		}
		var s scanner.Scanner
		file := token.NewFileSet().AddFile(name, -1, len(text))
		s.Init(file, text, nil, 0)
		for {
			_, kind, literal := s.Scan()
			if kind == token.EOF {
				return nil
			}
			if kind == token.IDENT {
				names[literal] = true
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, names
}
