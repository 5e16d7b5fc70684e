package gen

import (
	_ "embed"
	"os"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/revisions"
)

// Definitions is the Histograms.json of every made-up revision: invented, with
// every kind of definition, numbers as strings, expressions and the constants
// that the converter replaces.
//
//go:embed Histograms.json
var Definitions []byte

// Refs returns the made-up revisions that the pings name.
func Refs() []revisions.Ref {
	var refs []revisions.Ref
	for _, channel := range channels {
		ref, err := revisions.ParseURL(channel.revisionURL)
		if err != nil {
			panic("gen: " + err.Error()) // a mistake in the table
		}
		refs = append(refs, ref)
	}
	return refs
}

// WriteCache writes the definitions of all Refs to dir, laid out as a revision
// cache, so that the pings can be converted without any server.
func WriteCache(dir string) error {
	// All revisions have the same definitions.
	for _, ref := range Refs() {
		folder := filepath.Join(dir, filepath.FromSlash(ref.Repo), ref.Revision)
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "Histograms.json"), Definitions, 0o666); err != nil {
			return err
		}
	}
	return nil
}
