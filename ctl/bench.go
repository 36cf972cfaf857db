package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/bench"
)

// benchCommand mounts the load generator among the commands of the client.
func (p *program) benchCommand() *cli.Command {
	return p.adoptBench(bench.Command())
}

// adoptBench gives a command of the load generator, and those below it, the client's help and exit codes. They keep
// their own flags for the servers; the client's global options count where the user gives none of their own.
func (p *program) adoptBench(c *cli.Command) *cli.Command {
	text := strings.Replace(c.Description, "Examples:\n", "EXAMPLES:\n", 1)
	c.Description = strings.ReplaceAll(text, "\n  bench ", "\n  "+p.name+" bench ")
	if len(c.Subcommands) > 0 {
		for _, sub := range c.Subcommands {
			p.adoptBench(sub)
		}
		return p.group(c)
	}
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if err := p.inheritGlobals(ctx); err != nil {
			return failWith(exitBadArguments, err)
		}
		err := inFormats(action, formatSimple, formatJSON)(ctx)
		if exit, ok := errors.AsType[cli.ExitCoder](err); ok {
			text := exit.Error()
			if text != "" {
				text += "\n"
			}
			return &failure{code: exit.ExitCode(), text: text}
		}
		return err
	}
	return p.command(c)
}

// The load generator's flags for what global options say. It has --endpoints and --timeout under the same names.
const (
	benchCAFlag   = "cacert"
	benchCertFlag = "cert"
	benchKeyFlag  = "key"
	benchUserFlag = "user"
	benchJSONFlag = "json"
)

// withoutUse are the global options that say nothing to a load generator. One that is given is an error.
var withoutUse = []struct{ name, instead string }{
	{debugFlag, "bench prints no requests; use it with get or set"},
	{totalTimeoutFlag, "use --duration of bench"},
}

// inheritGlobals sets the load generator's flags from the client's global options and variables.
func (p *program) inheritGlobals(ctx *cli.Context) error {
	outer := ctx.Lineage()[1]
	for _, option := range withoutUse {
		if outer.IsSet(option.name) {
			return fmt.Errorf("--%s has no use before bench: %s", option.name, option.instead)
		}
	}
	given := map[string]func() (string, error){
		endpointsFlag: func() (string, error) { return p.benchEndpoints(outer) },
		benchUserFlag: func() (string, error) { return p.benchUser(outer) },
		benchCAFlag:   func() (string, error) { return setting(outer, caFlag), nil },
	}
	if local := ctx.LocalFlagNames(); !slices.Contains(local, benchCertFlag) && !slices.Contains(local, benchKeyFlag) {
		given[benchCertFlag] = func() (string, error) { return setting(outer, certFlag), nil }
		given[benchKeyFlag] = func() (string, error) { return setting(outer, keyFlag), nil }
	}
	if outer.IsSet(timeoutFlag) { // else the load generator's own default is better
		given[timeoutFlag] = func() (string, error) { return outer.Duration(timeoutFlag).String(), nil }
	}
	if outer.String(outputFlag) == formatJSON {
		given[benchJSONFlag] = func() (string, error) { return "true", nil }
	}
	for name, value := range given {
		if slices.Contains(ctx.LocalFlagNames(), name) {
			continue
		}
		text, err := value()
		if err != nil {
			return err
		}
		if text == "" {
			continue
		}
		if err := ctx.Set(name, text); err != nil {
			return err
		}
	}
	return nil
}

// benchEndpoints are those that the user named for the client, separated by commas; "" if he named none.
func (p *program) benchEndpoints(outer *cli.Context) (string, error) {
	for _, name := range []string{discoveryFlag, endpointsFlag, endpointFlag, peersFlag} {
		if setting(outer, name) != "" {
			list, err := p.endpointList(outer)
			return strings.Join(list, ","), err
		}
	}
	return "", nil
}

// benchUser is the user with the password, which is asked for if it is missing; "" without a user.
func (p *program) benchUser(outer *cli.Context) (string, error) {
	user, password, err := p.credentials(outer)
	if err != nil || user == "" {
		return "", err
	}
	return user + ":" + password, nil
}
