// Package cli is what tmrun and tmserver share.
//
// In: a State (arguments, environment, streams, clock) and a Program (its
// grammar). Out: the exit code. The flow is
//
//  1. Main builds the parser from the grammar, with the variables of the Program.
//  2. If a shell asks for completions, Main answers and ends.
//  3. Main parses the arguments; --help and --version end here.
//  4. Main runs the chosen command with a context that a signal cancels.
//  5. report prints the command's error and hint, and returns its exit code.
//
// To add an exit code: a constant in exit.go and a row in README, which
// TestReadmeExitCodes compares.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// State is what a command may know about the process that it runs in. Only OS
// fills it from the process; nothing below cmd touches os.Args, os.Getenv or
// os.Exit, so that a whole command runs inside a test.
type State struct {
	Args   []string // without the program's name
	Env    func(key string) string
	Stdin  io.Reader
	Stdout io.Writer // results, nothing else
	Stderr io.Writer // everything else
	Now    func() time.Time
	Log    *slog.Logger
}

// OS returns the State of this process.
func OS() *State {
	return &State{
		Args: os.Args[1:], Env: os.Getenv,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: time.Now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
}

// Program describes a command with its subcommands.
type Program struct {
	Name        string
	Description string // one line

	// Grammar is a pointer to a kong struct, whose commands have
	// Run(ctx context.Context, st *State) error.
	Grammar any

	// Vars are values that come from other packages: ${name} stands for one in the
	// tags of the grammar. May be nil.
	Vars map[string]string

	// Shipped lists names that may be given instead of a file, by the predictor that
	// completes them (the tag predictor:"name"). May be nil.
	Shipped map[string][]string
}

// Main parses st.Args, runs the chosen command, prints its error and returns the
// exit code. SIGINT and SIGTERM cancel the command's context; a second one ends
// the process at once.
func Main(st *State, program Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal has its default effect

	// kong calls Exit after --help and --version, in the middle of parsing.
	exited := -1
	out := &watched{w: st.Stdout}
	parser, err := program.parser(
		kong.Writers(out, st.Stderr),
		kong.Exit(func(code int) {
			exited = code
			panic(exit{})
		}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(st),
	)
	if err != nil {
		panic(fmt.Sprintf("cli: grammar of %s: %v", program.Name, err)) // a bug in the grammar
	}

	// The shell's question is in the environment, not in the arguments.
	if answerShell(parser, program.Shipped) {
		return ExitOK
	}

	run, err := parse(parser, st.Args)
	if out.err != nil { // of --help or --version
		return report(st.Stderr, program.Name, out.err)
	}
	if exited >= 0 { // --help or --version
		return exited
	}

	// What cannot be parsed is an error of usage; a command gives its errors their codes.
	if err == nil {
		err = run()
	} else {
		err = WithHint(Fail(ExitUsage, err), fmt.Sprintf("%s --help", program.Name))
	}

	return report(st.Stderr, program.Name, err)
}

// Parser returns a parser that runs nothing, for tests and for commands that
// start another command with its defaults.
func (p Program) Parser() (*kong.Kong, error) { return p.parser() }

func (p Program) parser(options ...kong.Option) (*kong.Kong, error) {
	vars := kong.Vars{"version": p.Name + " " + LongVersion()}
	options = append(options,
		kong.Name(p.Name), kong.Description(p.Description),
		vars.CloneWith(p.Vars),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ValueFormatter(helpText),
	)
	return kong.New(p.Grammar, options...)
}

// helpText is the help of a flag or argument, with its environment variable and the
// default that its placeholder hides. kong shows a default in the place of a placeholder.
func helpText(value *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(value)
	hidden := value.HasDefault && value.Default != "" && value.Tag.PlaceHolder != ""
	if !hidden || strings.Contains(text, "default") {
		return text
	}

	suffix := " (default: " + value.Default + ")"
	if before, ok := strings.CutSuffix(text, "."); ok {
		return before + suffix + "."
	}
	return text + suffix
}

// watched is a writer whose first error is noticed; kong ignores some.
type watched struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (w *watched) Write(text []byte) (int, error) {
	n, err := w.w.Write(text)
	w.err = cmp.Or(w.err, err)
	return n, err
}

// exit unwinds kong when --help or --version is done.
type exit struct{}

// parse returns what runs the command that args choose.
func parse(parser *kong.Kong, args []string) (run func() error, err error) {
	defer func() {
		// kong goes on parsing after --help unless the panic of Main's exit function
		// unwinds it.
		if thrown := recover(); thrown != nil {
			if _, ok := thrown.(exit); !ok {
				panic(thrown)
			}
		}
	}()

	// A ParseError only adds the place in the grammar, which users do not know.
	kctx, err := parser.Parse(args)
	if err != nil {
		if pe, ok := errors.AsType[*kong.ParseError](err); ok {
			err = pe.Unwrap()
		}
		return nil, err
	}
	if err := checkValues(kctx); err != nil {
		return nil, err
	}
	return func() error { return kctx.Run() }, nil
}
