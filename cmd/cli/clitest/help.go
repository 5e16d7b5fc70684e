package clitest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// CheckHelp requires that every command of a program that users see has a line of
// help, long help with the exit codes (EXIT STATUS), help for each of its flags, and
// a place in README.md or docs/ that names it, such as "tmserver revisions sync" or,
// after that, `revisions sync`.
func CheckHelp(t *testing.T, p cli.Program) {
	t.Helper()
	parser, err := p.Parser()
	if err != nil {
		t.Fatal(err)
	}
	docs := readDocs(t)

	var visit func(node *kong.Node)
	visit = func(node *kong.Node) {
		if node.Hidden {
			return
		}
		for _, child := range node.Children {
			visit(child)
		}
		if node.Type != kong.CommandNode || len(node.Children) > 0 {
			return
		}

		// Only commands without subcommands can be run, so only they need help.
		command := strings.TrimPrefix(node.Path(), p.Name+" ")
		if node.Help == "" {
			t.Errorf("%s %s: no help", p.Name, command)
		}
		if !strings.Contains(node.Detail, "EXIT STATUS: 0 ") {
			t.Errorf("%s %s: the long help, Help(), does not end in EXIT STATUS", p.Name, command)
		}
		for _, flag := range node.Flags {
			if flag.Help == "" && !flag.Hidden && flag.Name != "uninstall" { // kongplete's own
				t.Errorf("%s %s --%s: no help", p.Name, command, flag.Name)
			}

			// Main refuses a duration of zero, but where its tag says what it means.
			_, duration := flag.Target.Interface().(time.Duration)
			if saysZero := strings.Contains(flag.Help, " 0 "); duration && saysZero != flag.Tag.Has("zero") {
				t.Errorf("%s %s --%s: the tag zero and the help disagree about 0", p.Name, command, flag.Name)
			}
		}
		isDefault := node.Tag != nil && node.Tag.Default != "" // its name is left out
		if !isDefault && !strings.Contains(docs, p.Name+" "+command) && !strings.Contains(docs, "`"+command) {
			t.Errorf("%s %s: neither README.md nor docs/ names it", p.Name, command)
		}
	}
	visit(parser.Model.Node)
}

// readDocs returns the text of README.md and docs/.
func readDocs(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatal("no docs:", err)
	}

	var all strings.Builder
	for _, name := range append(names, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
