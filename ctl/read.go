package ctl

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

func quorumOption(destination *bool) cli.Flag {
	return boolFlag(destination, "see every write that was acknowledged before", "quorum", "q")
}

func sortOption(destination *bool) cli.Flag {
	return boolFlag(destination, "in the order of the names", "sort")
}

func (p *program) getCommand() *cli.Command {
	var o client.GetOptions
	return p.command(&cli.Command{
		Name: "get", Usage: "retrieve the value of a key", ArgsUsage: "<key>",
		Flags: []cli.Flag{sortOption(&o.Sorted), quorumOption(&o.Quorum)},
		Description: p.examples(
			`get /message`, "print the value; exit code 4 and error 100 if there is none",
			`get --quorum /lock`, "the latest value, even if the member that is asked lags behind",
			`-o extended get /message`, "with its indexes and time to live"),
		Action: p.reading(func(ctx context.Context, cl *client.Client, args []string) error {
			key, err := keyArgument(args)
			if err != nil {
				return err
			}
			e, err := cl.Get(ctx, key, o)
			if err != nil {
				return serverFailure(err)
			}
			if e.Node.Dir {
				return &failure{code: exitBadArguments, text: e.Node.Key + ": is a directory\n"}
			}
			return p.printEvent(e)
		}),
	})
}

func (p *program) lsCommand() *cli.Command {
	var o client.GetOptions
	var slash bool
	return p.command(&cli.Command{
		Name: "ls", Usage: "retrieve a directory", ArgsUsage: "[key]",
		Flags: []cli.Flag{
			sortOption(&o.Sorted),
			boolFlag(&o.Recursive, "with everything below it", "recursive", "r"),
			boolFlag(&slash, "append a slash to directories", "p"),
			quorumOption(&o.Quorum),
		},
		Description: p.examples(
			`ls`, "what is in the root",
			`ls --sort -p /services`, "in order, directories marked",
			`ls --recursive /`, "every key; those whose name begins with '_' are hidden"),
		Action: p.reading(func(ctx context.Context, cl *client.Client, args []string) error {
			e, err := cl.Get(ctx, keysOrRoot(args)[0], o)
			if err != nil {
				return serverFailure(err)
			}
			if p.globals.output != formatSimple {
				return p.printEvent(e)
			}
			out := bufio.NewWriter(p.stdout)
			if e.Node.Dir {
				printNames(out, e.Node.Nodes, slash)
			} else {
				fmt.Fprintln(out, e.Node.Key)
			}
			return out.Flush()
		}),
	})
}

// printNames prints the names of nodes, each before those below it. out must keep its first error, as a bufio.Writer does.
func printNames(out io.Writer, nodes []*client.Node, slash bool) {
	for _, n := range nodes {
		if n.Dir && slash {
			fmt.Fprintf(out, "%s/\n", n.Key)
		} else {
			fmt.Fprintln(out, n.Key)
		}
		printNames(out, n.Nodes, slash)
	}
}

// keyArgument returns the first argument.
func keyArgument(args []string) (string, error) {
	if len(args) == 0 {
		return "", badArguments("key required")
	}
	return args[0], nil
}

// keysOrRoot returns the arguments of a command that takes any number of keys, or the root if there are none.
func keysOrRoot(args []string) []string {
	if len(args) == 0 {
		return []string{"/"}
	}
	return args
}
