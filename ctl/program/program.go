package program

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"pando/ctl"
	"pando/members/config"
	"pando/members/server"
	"pando/members/server/systemd"
	"pando/stats"
	"pando/stats/logging"
)

// Main runs the program and returns its exit code. args[0] is the name of the program.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if args, ok := clientArgs(args); ok {
		return runClient(args, stdin, stdout, stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// After the first signal the default action is restored, so that a second signal ends a shutdown that hangs.
	context.AfterFunc(ctx, stop)
	err := run(ctx, args, stdout, stderr)
	stop()
	return report(stderr, err)
}

// run runs the program without signals and exit codes. It returns when the command has ended: for the server, when ctx is done
// and the shutdown is complete, or when the server could not start. An error about the command line, the environment or the
// configuration file wraps a UsageError.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	app := NewApp(stdout, stderr)
	if len(args) > 1 {
		args = append(args[:1:1], ctl.Reorder(app, args[1:])...)
	}
	return app.RunContext(ctx, args)
}

// NewApp returns the command line. Without a verb it runs the server; each verb is an entry of Commands.
func NewApp(stdout, stderr io.Writer) *cli.App {
	given := config.NewCommandLine()
	return &cli.App{
		Name:            "pando",
		Usage:           "a replicated key store with the v2 and v3 APIs of etcd",
		Writer:          stdout,
		ErrWriter:       stderr,
		Flags:           append(given.CliFlags(), &cli.BoolFlag{Name: config.VersionFlag, Usage: "Print the version and exit."}),
		HideVersion:     true, // --version is implemented here: it also prints the API
		HideHelpCommand: true,
		Commands: []*cli.Command{
			clientCommand(stdout, stderr), snapshotVerb(stdout, stderr), importCommand(stdout, stderr),
			importConfigCommand(stdout), migrateCommand(stdout, stderr), exportCommand(stdout, stderr),
		},
		CustomAppHelpTemplate: HelpText(),
		OnUsageError:          wrongFlags,
		// The caller of run chooses the exit code; the library must not end the process.
		ExitErrHandler: func(*cli.Context, error) {},
		Before:         func(c *cli.Context) error { return refuseFlagsBeforeVerb(c, given) },
		Action: func(c *cli.Context) error {
			if c.Bool(config.VersionFlag) {
				_, err := io.WriteString(stdout, versionText())
				return err
			}
			if c.Args().Len() == 1 && c.Args().First() == "help" {
				_, err := io.WriteString(stdout, HelpText())
				return err
			}
			if c.Args().Present() {
				return config.AsUsage(strayArgument(c.Args().First(), commandNames(c.App)))
			}
			return startServer(c.Context, given.Values(), stdout, stderr)
		},
	}
}

// startServer loads the configuration, opens the log and serves until ctx is done.
func startServer(ctx context.Context, flags map[string]string, stdout, stderr io.Writer) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer close(hangups)
	defer signal.Stop(hangups)
	cfg, warnings, err := config.Load(flags, os.Environ())
	if err != nil {
		return config.AsUsage(err)
	}
	cfg.Stdout = stdout
	log, outputs, err := openLog(cfg, stdout, stderr)
	if err != nil {
		return err
	}
	defer outputs.Close()
	service := systemd.New(log)
	service.OnReload(func() { outputs.Reopen(log) })
	go service.ReloadAt(hangups)
	running, end := context.WithCancel(context.Background())
	defer end()
	go service.AnswerWatchdog(running)
	for _, w := range warnings {
		log.Warn(w)
	}
	log.Debug("configuration loaded", zap.String("config-file", cfg.ConfigFile))
	return logEnd(cfg, endedBySignal(ctx, server.Serve(ctx, cfg, service, log), log), log)
}

// openLog opens the log that cfg asks for.
func openLog(cfg *config.Config, stdout, stderr io.Writer) (*zap.Logger, *logging.Outputs, error) {
	log, outputs, err := logging.New(logging.Options{
		Level: cfg.LogLevel, Format: logging.Format(cfg.LogFormat), Outputs: cfg.LogOutputs,
	}, stdout, stderr)
	if err != nil {
		return nil, nil, config.AsUsage(cfg.FlagError("log-outputs", fmt.Sprintf("cannot write the log: %v", config.UnwrapPath(err)),
			"use stderr, stdout or a file in a directory that exists and can be written"))
	}
	return log, outputs, nil
}

// commandNames returns the verbs that the user can type after pando.
func commandNames(app *cli.App) []string {
	var names []string
	for _, c := range app.VisibleCommands() {
		names = append(names, c.Names()...)
	}
	return names
}

// revision returns the commit from which the program was built. It is empty if the commit is unknown.
func revision() string {
	if stats.Revision != "" {
		return stats.Revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// versionText returns the output of pando --version.
func versionText() string {
	commit := revision()
	if commit != "" {
		commit = " (commit " + commit[:min(12, len(commit))] + ")"
	}
	return fmt.Sprintf("pando %s%s\nAPI: etcd v2, as of etcd %s; etcd v3, as of etcd %s\nGo: %s %s/%s\n",
		stats.Version, commit, stats.APILevel, stats.V3APILevel, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
