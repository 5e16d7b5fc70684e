package cli

import (
	"maps"

	"github.com/alecthomas/kong"
	"github.com/posener/complete"
	"github.com/willabides/kongplete"
)

// Completions is embedded in a grammar: the command that makes a shell complete.
type Completions struct {
	InstallCompletions kongplete.InstallCompletions `cmd:"" help:"Print the lines that make your shell complete this command."`
}

// shipper is a grammar that knows names which may stand for a file, by the
// predictor that offers them.
type shipper interface{ Shipped() map[string][]string }

// answerShell answers a shell that asks how a line may go on, which it does by
// setting COMP_LINE, and says whether that was so. A flag or argument is
// completed as its tag says: predictor:"file", "folder", or a key of the
// grammar's Shipped, whose names are offered beside files.
func answerShell(parser *kong.Kong, grammar any) bool {
	files := complete.PredictFiles("*")
	predictors := map[string]complete.Predictor{"file": files, "folder": complete.PredictDirs("*")}
	if s, ok := grammar.(shipper); ok {
		for name, shipped := range s.Shipped() {
			predictors[name] = complete.PredictOr(complete.PredictSet(shipped...), files)
		}
	}
	root, err := kongplete.Command(parser, kongplete.WithPredictors(predictors))
	if err != nil {
		panic("cli: completion: " + err.Error()) // a tag names no predictor
	}
	if d := parser.Model.DefaultCmd; d != nil { // its name may be left out
		sub := root.Sub[d.Name]
		maps.Copy(root.GlobalFlags, sub.GlobalFlags)
		root.Args = sub.Args
	}
	c := complete.New(parser.Model.Name, root)
	c.Out = parser.Stdout
	return c.Complete()
}
