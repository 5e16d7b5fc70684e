// Package jobstest has a stand-in for tmrun, a shell script, for tests of jobs.
package jobstest

import (
	"context"
	"os/exec"
)

// program answers describe with the first line of the script, and runs what the lines
// behind it say. alert runs what a file beside it says, named after it, with $rows and
// $previous.
const program = `
for last; do :; done
case "$1" in
describe)
	head -n 1 "$last"
	;;
alert)
	for arg; do case "$arg" in --rows=*) rows=${arg#--rows=};; --previous=*) previous=${arg#--previous=};; esac; done
	. "./$last.alert"
	;;
run)
	for arg; do case "$arg" in --output=*) output=${arg#--output=};; --profile=*) profile=${arg#--profile=};; esac; done
	tail -n +2 "$last" >"$output.job"
	. "$output.job"
	rm -f "$output.job"
	;;
esac
`

// Program is a jobs.Options.Program. A script of it is a line of JSON, which is an
// api.Described, and shell commands, which write rows to $output, a profile to $profile if
// there is to be one, and events to file descriptor 3.
func Program(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", program, "tmrun"}, args...)...)
}
