package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// newProgressBar shows on a terminal how much of total is done; elsewhere nothing.
// The caller closes it.
func newProgressBar(st *cli.State, total int64, options ...progressbar.Option) *progressbar.ProgressBar {
	visible := false
	if file, ok := st.Stderr.(*os.File); ok {
		visible = term.IsTerminal(int(file.Fd()))
	}

	options = append(options,
		progressbar.OptionSetWriter(st.Stderr), progressbar.OptionSetVisibility(visible),
		progressbar.OptionThrottle(50*time.Millisecond))
	return progressbar.NewOptions64(total, options...)
}

// newByteBar is newProgressBar for bytes; what it counts stands before the bar,
// which is removed at its end.
func newByteBar(st *cli.State, total int64, what string) *progressbar.ProgressBar {
	return newProgressBar(st, total,
		progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish())
}
