package backup

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
)

// AddForgotten adds to the files of a snapshot the deletion requests of all others in the
// repository. Their names are functions of their content, so that they can lie beside each
// other. The error joins those of snapshots that cannot be read, which hinder nothing.
func (r *Repository) AddForgotten(ctx context.Context, s *Snapshot) error {
	known := map[string]bool{}
	for _, file := range s.Files {
		known[file.Path] = true
	}
	names, err := r.Snapshots(ctx)
	if err != nil {
		return err
	}

	var errs []error
	for _, name := range names {
		other, err := r.Load(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, file := range other.Files {
			if strings.HasPrefix(file.Path, layout.ForgottenDir+"/") && !known[file.Path] {
				known[file.Path] = true
				s.Files = append(s.Files, file)
			}
		}
	}
	slices.SortFunc(s.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return errors.Join(errs...)
}
