package ctl

import (
	"bufio"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

const (
	sortFlag   = "sort"
	quorumFlag = "quorum"
	slashFlag  = "p"
)

func quorumOption() cli.Flag {
	return &cli.BoolFlag{Name: quorumFlag, Aliases: []string{"q"}, Usage: "see every write that was acknowledged before", DisableDefaultText: true}
}

func sortOption() cli.Flag {
	return &cli.BoolFlag{Name: sortFlag, Usage: "in the order of the names", DisableDefaultText: true}
}

// readCommands look at keys and directories.
func (p *program) readCommands() []*cli.Command {
	return []*cli.Command{
		p.command(&cli.Command{
			Name: "get", Usage: "retrieve the value of a key", ArgsUsage: "<key>", Action: p.get,
			Flags: []cli.Flag{sortOption(), quorumOption()},
			Description: p.examples(
				`get /message`, "print the value; exit code 4 and error 100 if there is none",
				`get --quorum /lock`, "the value as of now, whatever member is asked",
				`-o extended get /message`, "with its indexes and time to live"),
		}),
		p.command(&cli.Command{
			Name: "ls", Usage: "retrieve a directory", ArgsUsage: "[key]", Action: p.ls,
			Flags: []cli.Flag{
				sortOption(),
				&cli.BoolFlag{Name: recursiveFlag, Aliases: []string{"r"}, Usage: "with all that is below", DisableDefaultText: true},
				&cli.BoolFlag{Name: slashFlag, Usage: "append a slash to directories", DisableDefaultText: true},
				quorumOption(),
			},
			Description: p.examples(
				`ls`, "what is in the root",
				`ls --sort -p /services`, "in order, directories marked",
				`ls --recursive /`, "every key; those whose name begins with '_' are hidden"),
		}),
	}
}

func (p *program) get(c *cli.Context) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	key, err := keyArgument(c)
	if err != nil {
		return err
	}
	ctx, cancel := reading(c)
	defer cancel()
	e, err := cl.read(ctx, key, readOptions{sorted: c.Bool(sortFlag), quorum: c.Bool(quorumFlag)})
	if err != nil {
		return serverFailure(err)
	}
	if e.Node.Dir {
		return &failure{code: exitBadArguments, text: e.Node.Key + ": is a directory\n"}
	}
	return p.printEvent(e, c.String(outputFlag))
}

func (p *program) ls(c *cli.Context) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	key := "/"
	if c.NArg() > 0 {
		key = c.Args().First()
	}
	ctx, cancel := reading(c)
	defer cancel()
	e, err := cl.read(ctx, key, readOptions{
		recursive: c.Bool(recursiveFlag), sorted: c.Bool(sortFlag), quorum: c.Bool(quorumFlag),
	})
	if err != nil {
		return serverFailure(err)
	}
	if format := c.String(outputFlag); format != formatSimple {
		return p.printEvent(e, format)
	}
	out := bufio.NewWriter(p.stdout)
	if e.Node.Dir {
		printNames(out, e.Node.Nodes, c.Bool(slashFlag))
	} else {
		fmt.Fprintln(out, e.Node.Key)
	}
	return out.Flush()
}

// printNames prints the nodes, each before what is below it. The writer keeps its first error.
func printNames(out io.Writer, nodes []*node, slash bool) {
	for _, n := range nodes {
		if n.Dir && slash {
			fmt.Fprintf(out, "%s/\n", n.Key)
		} else {
			fmt.Fprintln(out, n.Key)
		}
		printNames(out, n.Nodes, slash)
	}
}
