package cli

import (
	"maps"

	"github.com/alecthomas/kong"
	"github.com/posener/complete"
	"github.com/willabides/kongplete"
)

// Common is embedded in a grammar. It has the commands that all programs have.
type Common struct {
	Version            version            `cmd:"" help:"Print the version, the commit and the platform."`
	InstallCompletions installCompletions `cmd:"" help:"Print the lines that make your shell complete this command."`
	Man                manual             `cmd:"" hidden:"" help:"Print the manual page."`
}

// installCompletions adds the help to kongplete's command.
type installCompletions struct {
	kongplete.InstallCompletions `embed:""`
}

func (installCompletions) Help() string {
	return `Prints the lines for the start file of your login shell, bash, zsh or fish.

EXIT STATUS: 0 done; 2 the shell is not one of these.`
}

// answerShell returns false unless a shell asks how a command line may go on; the
// shell asks by setting COMP_LINE, and the answer goes to the parser's Stdout. A
// flag or argument is completed as its tag says: predictor:"file", "folder", or a
// key of shipped, whose names are offered beside files.
func answerShell(parser *kong.Kong, shipped map[string][]string) bool {
	// Names of the program's own come beside files, never instead of them.
	files := complete.PredictFiles("*")
	predictors := map[string]complete.Predictor{"file": files, "folder": complete.PredictDirs("*")}
	for name, names := range shipped {
		predictors[name] = complete.PredictOr(complete.PredictSet(names...), files)
	}

	root, err := kongplete.Command(parser, kongplete.WithPredictors(predictors))
	if err != nil {
		panic("cli: completion: " + err.Error()) // a tag names a predictor that does not exist
	}

	// The default command may be left out, so its flags and arguments are also the
	// program's own.
	if command := parser.Model.DefaultCmd; command != nil {
		sub := root.Sub[command.Name]
		maps.Copy(root.GlobalFlags, sub.GlobalFlags)
		root.Args = sub.Args
	}

	completion := complete.New(parser.Model.Name, root)
	completion.Out = parser.Stdout
	return completion.Complete()
}
