package cmd_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestClientRecipes: the recipes of docs/clients.md are lines of what CI runs, in the same
// order; and the preferences are among those of TestFirefox.
func TestClientRecipes(t *testing.T) {
	docs, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(?:python|js) (\\S+)\n(.*?)```").FindAllStringSubmatch(string(docs), -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/clients.md has %d recipes, want 2", len(blocks))
	}
	for _, block := range blocks {
		program, err := os.ReadFile("testdata/clients/" + block[1])
		if err != nil {
			t.Fatal(err)
		}
		// Tests have the address of their own server.
		rest := strings.NewReplacer("sys.argv[1]", `"http://127.0.0.1:8080"`, `query.get("to")`, `"https://telemetry.example"`).Replace(string(program))
		for line := range strings.Lines(block[2]) {
			var found bool
			if _, rest, found = strings.Cut(rest, strings.TrimSpace(line)); !found {
				t.Errorf("%s does not have, or not here: %s", block[1], line)
			}
		}
	}

	// What stands behind a preference in the document explains it.
	preferences := regexp.MustCompile(`(?m)^user_pref\(.*?\);`).FindAllString(strings.ReplaceAll(string(docs), "8080", "PORT"), -1)
	if len(preferences) < 5 {
		t.Fatalf("docs/clients.md has %d preferences", len(preferences))
	}
	for _, preference := range preferences {
		if !strings.Contains(firefoxPreferences, preference) {
			t.Errorf("TestFirefox does not set %s", preference)
		}
	}
}
