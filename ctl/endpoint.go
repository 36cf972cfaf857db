package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

const formatTable = "table"

// unknown stands for a value that a member did not report. As an Endpoint it is in the JSON, too.
const unknown = "-"

// endpointCommands returns the group endpoint.
func (p *program) endpointCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "endpoint", Usage: "endpoint status and health subcommands",
		Subcommands: []*cli.Command{
			p.endpointCommand(writeStatus, &cli.Command{
				Name: "status", Usage: "leader, term, index, size, version and latency of each member", ArgsUsage: " ",
				Description: endpointHelp +
					"   NODES counts keys and directories, SIZE the bytes of their paths and values. Pando reports both.\n" +
					"   With auth enabled, TERM, RAFT INDEX and INDEX are for users who may read the key /, such as root.\n\n" + p.examples(
					`endpoint status`, "a table of all members",
					`endpoint status -w json`, "the same for programs: an array with one object a member; -o json does it too",
					`--no-sync --endpoints http://10.0.0.1:2379 endpoint status`, "only the one that is named"),
			}),
			p.endpointCommand(writeHealth, &cli.Command{
				Name: "health", Usage: "whether each member is healthy, and how fast it answers", ArgsUsage: " ",
				Description: endpointHelp + "\n" + p.examples(
					`endpoint health`, "a table of all members",
					`endpoint health > /dev/null || page-someone`, "use the exit code"),
			}),
		},
	})
}

const endpointHelp = `DESCRIPTION:
   Asks all members of the cluster at the same time, each at its first client URL; with --no-sync, the endpoints that were
   given. The exit code is 1 if a member is not healthy or does not answer.
`

// endpointCommand completes a command that asks all members. writeTable must print their answers as a table.
func (p *program) endpointCommand(writeTable func(io.Writer, []*client.Status), c *cli.Command) *cli.Command {
	var format string
	c.Flags = []cli.Flag{&cli.StringFlag{Name: "write-out", Aliases: []string{"w"}, Destination: &format, Value: formatTable,
		Usage: "print a table or json"}}
	c.Action = p.inFormats(func(c *cli.Context) error {
		if !c.IsSet("write-out") && p.globals.output == formatJSON {
			format = formatJSON
		}
		switch {
		case format != formatTable && format != formatJSON:
			return badArguments("unknown format %q: -w takes table or json", format)
		case c.NArg() > 0:
			return badArguments("endpoint takes no arguments, but got %q: name endpoints with the global --endpoints, before the command",
				c.Args().First())
		}
		statuses, err := p.askEndpoints(c.Context)
		if err != nil {
			return err
		}
		if err := p.printStatuses(statuses, format, writeTable); err != nil {
			return err
		}
		for _, s := range statuses {
			if !s.Healthy {
				return &failure{code: exitNotAllHealthy}
			}
		}
		return nil
	}, formatSimple, formatJSON)
	return p.command(c)
}

func (p *program) printStatuses(statuses []*client.Status, format string, writeTable func(io.Writer, []*client.Status)) error {
	if format == formatJSON {
		data, _ := json.MarshalIndent(statuses, "", "  ") // a status can always be encoded
		_, err := fmt.Fprintf(p.stdout, "%s\n", data)
		return err
	}
	var table bytes.Buffer
	aligned := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	writeTable(aligned, statuses)
	_ = aligned.Flush() // a buffer takes everything
	_, err := p.stdout.Write(trimLines(table.Bytes()))
	return err
}

// askEndpoints asks all members at the same time, so that several dead members delay the command no longer than one does. If no endpoint
// answers with the list of members, it asks the endpoints that were given.
func (p *program) askEndpoints(ctx context.Context) ([]*client.Status, error) {
	cl, err := p.newClient(ctx)
	if err != nil {
		return nil, bareFailure(err)
	}
	statuses := p.listedEndpoints(ctx, cl)
	if len(statuses) == 0 {
		for _, endpoint := range cl.Endpoints() {
			statuses = append(statuses, &client.Status{Endpoint: endpoint})
		}
	}
	var all sync.WaitGroup
	for _, s := range statuses {
		if s.Endpoint == unknown { // its Error is set
			continue
		}
		all.Go(func() { cl.Status(ctx, s) })
	}
	all.Wait()
	return statuses, ctx.Err()
}

// listedEndpoints returns a Status for each member that the cluster lists, with only endpoint, ID and name set. It returns none
// with --no-sync, or if the list can't be read.
func (p *program) listedEndpoints(ctx context.Context, cl *client.Client) []*client.Status {
	if p.globals.noSync {
		return nil
	}
	ctx, cancel := p.globals.limited(ctx)
	defer cancel()
	members, err := cl.Members(ctx)
	if err != nil {
		return nil // the error shows again when each endpoint is asked
	}
	all := make([]*client.Status, 0, len(members))
	for _, m := range members {
		s := &client.Status{Endpoint: unknown, ID: m.ID, Name: m.Name}
		switch url := cl.UsableURL(m.ClientURLs); {
		case url != "":
			s.Endpoint = url
		case len(m.ClientURLs) > 0:
			s.Error = "it publishes no URL with TLS, and the given endpoints have TLS"
		default:
			s.Error = "it publishes no client URL: it was added, but never started"
		}
		all = append(all, s)
	}
	return all
}

func writeStatus(w io.Writer, statuses []*client.Status) {
	fmt.Fprintln(w, "ENDPOINT\tID\tNAME\tVERSION\tLEADER\tTERM\tRAFT INDEX\tINDEX\tNODES\tSIZE\tLATENCY\tERROR")
	for _, s := range statuses {
		leader, nodes, size := unknown, unknown, unknown
		if s.Version != "" {
			leader = strconv.FormatBool(s.Leader)
		}
		if s.Nodes != nil {
			nodes = strconv.FormatUint(*s.Nodes, 10)
		}
		if s.Bytes != nil {
			size = humanize.IBytes(*s.Bytes)
		}
		fmt.Fprintln(w, strings.Join([]string{
			s.Endpoint, orUnknown(s.ID), orUnknown(s.Name), orUnknown(s.Version), leader, orUnknownNumber(s.Term),
			orUnknownNumber(s.RaftIndex), orUnknownNumber(s.Index), nodes, size, latency(s), s.Error,
		}, "\t"))
	}
}

func writeHealth(w io.Writer, statuses []*client.Status) {
	fmt.Fprintln(w, "ENDPOINT\tHEALTHY\tLATENCY\tERROR")
	for _, s := range statuses {
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\n", s.Endpoint, s.Healthy, latency(s), s.Error)
	}
}

func latency(s *client.Status) string {
	if s.LatencyMS == 0 {
		return unknown
	}
	return strconv.FormatFloat(s.LatencyMS, 'f', 1, 64) + "ms"
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}

// orUnknownNumber returns n as text, or unknown if n is 0.
func orUnknownNumber(n uint64) string {
	if n == 0 {
		return unknown
	}
	return strconv.FormatUint(n, 10)
}

// trimLines removes the blanks that the tabwriter leaves at the ends of lines.
func trimLines(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimRight(lines[i], " ")
	}
	return bytes.Join(lines, []byte("\n"))
}
