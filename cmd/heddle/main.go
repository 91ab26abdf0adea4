// Command heddle is wiring and nothing else: configuration in, floors put together, signals handled.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Config      string     `env:"HEDDLE_CONFIG" default:"heddle.yml" help:"Configuration file."`
	PrintConfig bool       `help:"Print the settings in force, secrets masked, and stop."`
	Serve       serveCmd   `cmd:"" help:"Run the server."`
	Verify      verifyCmd  `cmd:"" help:"Check that the event log is whole and unchanged, and print its head."`
	Backup      backupCmd  `cmd:"" help:"Copy the event log and the blobs, of a running server too."`
	EventLog    logCmd     `cmd:"" name:"log" help:"Serve the event log."`
	Token       tokenCmd   `cmd:"" help:"Make, list and revoke API tokens of a running server."`
	Bench       benchCmd   `cmd:"" help:"Measure a server on this machine."`
	Docs        docsCmd    `cmd:"" help:"Print pages of the documentation."`
	Version     versionCmd `cmd:"" help:"Print the version."`
	settings
}

func main() {
	dropEmpty()
	syscall.Umask(0o077) // whatever is written is for its owner alone
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: 0 for success, 1 for failure, 2 for a mistake in the call.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("heddle"), kong.Writers(stdout, stderr), defaults(),
		kong.Description("A self-hosted integration platform."), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		panic(err) // a mistake in the tags above
	}
	path, asked := configPath(args)
	config, err := readFile(path, asked)
	if err != nil {
		fmt.Fprintln(stderr, "heddle:", err)
		return 2
	}
	if err := kong.Resolvers(config).Apply(parser); err != nil {
		panic(err) // it never fails
	}
	if slices.Contains(args, "--print-config") && !slices.ContainsFunc(args, isCommand) {
		args = append([]string{"serve"}, args...)
	}
	call, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(stderr, "heddle:", err)
		return 2
	}
	if c.PrintConfig {
		fmt.Fprint(stdout, c.print())
		return 0
	}
	stderr = c.discreet(stderr)
	call.BindTo(ctx, (*context.Context)(nil))
	call.BindTo(stdout, (*io.Writer)(nil))
	if err := call.Run(&c.settings, newLogger(stderr, c.LogLevel)); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "heddle:", err)
		return 1
	}
	return 0
}

func isCommand(arg string) bool {
	return slices.Contains([]string{"serve", "verify", "backup", "log", "token", "bench", "docs", "version"}, arg)
}

// configPath finds the configuration file's name before anything else is parsed.
func configPath(args []string) (path string, asked bool) {
	for i, arg := range args {
		if arg == "--config" && i+1 < len(args) {
			return args[i+1], true
		}
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			return value, true
		}
	}
	if value := os.Getenv("HEDDLE_CONFIG"); value != "" {
		return value, true
	}
	return "heddle.yml", false
}

// secretKeys are attributes whose values never reach the server's log.
var secretKeys = []string{"token", "secret", "password", "authorization", "api-key", "apikey", "master-key", "cookie"}

// newLogger writes JSON lines. Attributes with a secret's name are masked wherever they come from.
func newLogger(w io.Writer, level string) *slog.Logger {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // the flag allows nothing else
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if slices.Contains(secretKeys, strings.ToLower(a.Key)) {
				return slog.String(a.Key, "********")
			}
			return a
		}}))
}

type versionCmd struct{}

// Run prints the version that the binary was built from.
func (versionCmd) Run(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, "heddle", version())
	return err
}

// version returns the version, and commit and date where Go has stamped them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	version := cmp.Or(info.Main.Version, "unknown")
	if commit := said["vcs.revision"]; commit != "" {
		version += " commit " + commit
	}
	if date := said["vcs.time"]; date != "" {
		version += " of " + date
	}
	if said["vcs.modified"] == "true" {
		version += ", changed since"
	}
	return version
}
