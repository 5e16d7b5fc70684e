package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/layout"
)

// invalidCmd works on the quarantine. The command has the name of the folder,
// invalid/, which is public.
type invalidCmd struct {
	Ls     invalidLsCmd     `cmd:"" help:"List quarantined submissions."`
	Show   invalidShowCmd   `cmd:"" help:"Print one quarantined submission."`
	Replay invalidReplayCmd `cmd:"" help:"Convert quarantined submissions again."`
}

// quarantineFlags select quarantined submissions.
type quarantineFlags struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder."`
	Class   string `placeholder:"CLASS" help:"Only submissions of this class, such as bad_payload."`
}

// checkClass returns an error for a class that nothing can have: nothing would be selected.
func (f *quarantineFlags) checkClass() error {
	if f.Class == "" || slices.Contains(convert.Classes, f.Class) {
		return nil
	}
	// An older release may have had others.
	if _, err := os.Stat(filepath.Join(f.DataDir, layout.QuarantineDir, filepath.Base(f.Class))); err == nil {
		return nil
	}
	return cli.WithHint(cli.Usage("--class %s: there is no such class", f.Class), "classes are "+strings.Join(convert.Classes, ", "))
}

// each calls visit for every selected submission, until it returns false or an
// error.
func (f *quarantineFlags) each(ctx context.Context, visit func(layout.Rejected) (bool, error)) error {
	tree, err := layout.OpenTree(f.DataDir)
	if err != nil {
		return cli.Named(err)
	}
	defer tree.Close()

	segments, err := quarantine.Segments(ctx, tree, f.Class)
	if err != nil {
		return err
	}

	// In the order of their paths, which begin with the class.
	for _, segment := range segments {
		for submission, err := range quarantine.Read(tree, segment) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return withCorruptCode(err)
			}

			more, err := visit(submission)
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}
