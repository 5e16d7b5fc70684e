// Package cli is what tmrun and tmserver share: the program's surroundings as
// one struct (so that a whole command runs inside a test), the exit codes, and
// the one place that prints an error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// State is what a command knows of the world. Only OS fills it from the
// process; nothing below cmd touches os.Args, os.Getenv or os.Exit.
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

// Version returns the module version or revision that the program was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	if v := info.Main.Version; v != "" {
		return v
	}
	return "(devel)"
}

// Main parses st.Args into grammar, a pointer to a kong command struct whose
// commands have Run(ctx context.Context, st *State) error, runs the chosen one,
// prints its error and returns the exit code. SIGINT and SIGTERM cancel the
// context; a second one ends the process at once.
func Main(st *State, name, description string, grammar any) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal has its default effect
	exited := -1
	parser, err := kong.New(grammar,
		kong.Name(name), kong.Description(description),
		kong.Writers(st.Stdout, st.Stderr),
		kong.Exit(func(code int) { exited = code; panic(exit{}) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(st),
		kong.Vars{"version": name + " " + Version()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(fmt.Sprintf("cli: grammar of %s: %v", name, err)) // a bug in the grammar
	}
	if answerShell(parser, grammar) { // it was no command to run
		return ExitOK
	}
	run, err := parse(parser, st.Args)
	if exited >= 0 { // --help or --version
		return exited
	}
	if err == nil {
		err = run()
	} else {
		err = WithHint(Fail(ExitUsage, err), fmt.Sprintf("%s --help", name))
	}
	return report(st.Stderr, name, err)
}

// exit unwinds kong when --help or --version is done.
type exit struct{}

func parse(parser *kong.Kong, args []string) (run func() error, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exit); !ok {
				panic(r)
			}
		}
	}()
	kctx, err := parser.Parse(args)
	if err != nil {
		if pe, ok := errors.AsType[*kong.ParseError](err); ok {
			err = pe.Unwrap()
		}
		return nil, err
	}
	return func() error { return kctx.Run() }, nil
}
