package main

import (
	"errors"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// rawVersionFlags say how raw logs from elsewhere are read.
type rawVersionFlags struct {
	RawVersion int `default:"-1" placeholder:"N" help:"Version of the files, 0 to 4. Default: from the name, else from the content; 0 is never guessed."`
}

func (f *rawVersionFlags) validate() error {
	if f.RawVersion < rawlog.VersionAuto || f.RawVersion > rawlog.Version {
		return cli.Usage("--raw-version %d: want 0 to %d", f.RawVersion, rawlog.Version)
	}
	return nil
}

// withVersionHint makes a usage error of rawlog.ErrVersion, and changes no other
// error.
func withVersionHint(err error) error {
	if errors.Is(err, rawlog.ErrVersion) {
		return cli.WithHint(cli.Fail(cli.ExitUsage, err), "--raw-version states the version of files that do not")
	}
	return err
}
