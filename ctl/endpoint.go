package ctl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
)

const (
	writeOutFlag = "write-out"
	formatTable  = "table"
)

// unknown stands in a table for what a member did not say.
const unknown = "-"

// endpointStatus is what one member said about itself. Latency is the time of a request on an open connection.
type endpointStatus struct {
	Endpoint  string  `json:"endpoint"`
	ID        string  `json:"id,omitempty"`
	Name      string  `json:"name,omitempty"`
	Version   string  `json:"version,omitempty"`
	Healthy   bool    `json:"healthy"`
	Leader    bool    `json:"leader"`
	LeaderID  string  `json:"leaderID,omitempty"`
	Term      uint64  `json:"raftTerm,omitempty"`
	RaftIndex uint64  `json:"raftIndex,omitempty"`
	Index     uint64  `json:"index,omitempty"`
	Nodes     *uint64 `json:"nodes,omitempty"` // keys and directories; nil: the server does not tell
	Bytes     *uint64 `json:"bytes,omitempty"`
	LatencyMS float64 `json:"latencyMillis,omitempty"`
	Error     string  `json:"error,omitempty"`
}

// endpointCommands is the endpoint group.
func (p *program) endpointCommands() *cli.Command {
	format := func() []cli.Flag {
		return []cli.Flag{&cli.StringFlag{Name: writeOutFlag, Aliases: []string{"w"}, Value: formatTable, Usage: "print a table or json"}}
	}
	return p.group(&cli.Command{
		Name: "endpoint", Usage: "endpoint status and health subcommands",
		Subcommands: []*cli.Command{
			p.command(&cli.Command{
				Name: "status", Usage: "leader, term, index, size, version and latency of each member", ArgsUsage: " ", Flags: format(),
				Description: endpointHelp + "   NODES and SIZE are the keys and directories and their bytes, where the server tells (Pando does).\n\n" + p.examples(
					`endpoint status`, "a table of all members",
					`endpoint status -w json`, "the same for programs: an array with one object a member; -o json does it too",
					`--no-sync --endpoints http://10.0.0.1:2379 endpoint status`, "only the one that is named"),
				Action: inFormats(func(c *cli.Context) error { return p.endpoints(c, writeStatus) }, formatSimple, formatJSON),
			}),
			p.command(&cli.Command{
				Name: "health", Usage: "whether each member is well, and how fast it answers", ArgsUsage: " ", Flags: format(),
				Description: endpointHelp + "\n" + p.examples(
					`endpoint health`, "a table of all members",
					`endpoint health > /dev/null || page-someone`, "use the exit code"),
				Action: inFormats(func(c *cli.Context) error { return p.endpoints(c, writeHealth) }, formatSimple, formatJSON),
			}),
		},
	})
}

const endpointHelp = `DESCRIPTION:
   Asks the members of the cluster all at once, each at its first client URL; with --no-sync, the endpoints that were
   given. The exit code is 1 when a member is not healthy or does not answer.
`

// endpoints asks all members and prints what they said with write.
func (p *program) endpoints(c *cli.Context, write func(io.Writer, []*endpointStatus)) error {
	format := c.String(writeOutFlag)
	if !c.IsSet(writeOutFlag) && c.String(outputFlag) == formatJSON {
		format = formatJSON
	}
	switch {
	case format != formatTable && format != formatJSON:
		return badArguments(fmt.Sprintf("unknown format %q: -w takes table or json", format))
	case c.NArg() > 0:
		return badArguments(fmt.Sprintf("%q is no option: name endpoints with the global --endpoints", c.Args().First()))
	}
	cl, err := p.newClient(c)
	if err != nil {
		return bareFailure(err)
	}
	targets, err := p.endpointTargets(c, cl)
	if err != nil {
		return err
	}
	statuses := askAll(c.Context, cl, targets)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	if format == formatJSON {
		// Strings, numbers and truths: there is nothing in it that JSON can't hold.
		data, _ := json.MarshalIndent(statuses, "", "  ")
		_, err = fmt.Fprintf(p.stdout, "%s\n", data)
	} else {
		var table bytes.Buffer
		aligned := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
		write(aligned, statuses)
		_ = aligned.Flush() // into memory
		_, err = p.stdout.Write(trimLines(table.Bytes()))
	}
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if !s.Healthy {
			return &failure{code: exitBadArguments}
		}
	}
	return nil
}

// endpointTargets lists whom to ask. When no member tells who the others are, it is the endpoints that were given.
func (p *program) endpointTargets(c *cli.Context, cl *client) ([]*endpointStatus, error) {
	given := make([]*endpointStatus, 0, len(cl.endpoints))
	for _, name := range cl.endpointNames() {
		given = append(given, &endpointStatus{Endpoint: name})
	}
	if c.Bool(noSyncFlag) {
		return given, nil
	}
	ctx, cancel := limited(c)
	defer cancel()
	members, err := cl.members(ctx)
	if err != nil {
		if c.Context.Err() != nil {
			return nil, c.Context.Err()
		}
		return given, nil // each will say itself what is wrong
	}
	all := make([]*endpointStatus, 0, len(members))
	for _, m := range members {
		s := &endpointStatus{Endpoint: unknown, ID: m.ID, Name: m.Name}
		if len(m.ClientURLs) > 0 {
			s.Endpoint = m.ClientURLs[0]
		}
		all = append(all, s)
	}
	return all, nil
}

// askAll fills in the statuses, all members side by side, so that a dead one costs its own time only.
func askAll(ctx context.Context, cl *client, statuses []*endpointStatus) []*endpointStatus {
	var all sync.WaitGroup
	for _, s := range statuses {
		if s.Endpoint == unknown {
			s.Error = "it publishes no client URL: it was added, but never started"
			continue
		}
		all.Go(func() {
			if err := cl.status(ctx, s); err != nil {
				s.Healthy, s.Error = false, err.Error()
			}
		})
	}
	all.Wait()
	return statuses
}

// status asks one member. What it does not tell stays empty; the error is the reason why it is not healthy.
func (cl *client) status(ctx context.Context, s *endpointStatus) error {
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil {
		return err
	}
	one := *cl
	one.endpoints, one.pinned = []*url.URL{endpoint}, 0
	var self struct {
		ID, Name, State string
		LeaderInfo      struct{ Leader string }
	}
	if err := one.fetch(ctx, "/v2/stats/self", &self); err != nil {
		return err
	}
	s.ID, s.Name, s.Leader, s.LeaderID = self.ID, self.Name, self.State == "StateLeader", self.LeaderInfo.Leader
	var version struct{ EtcdServer, Pando string }
	if err := one.fetch(ctx, "/version", &version); err != nil {
		return err
	}
	s.Version = version.EtcdServer
	if version.Pando != "" {
		s.Version = "Pando " + version.Pando
	}
	if err := one.position(ctx, s); err != nil {
		return err
	}
	one.size(ctx, s)
	began := time.Now()
	s.Healthy, err = one.health(ctx, strings.TrimSuffix(s.Endpoint, "/"))
	s.LatencyMS = float64(time.Since(began).Microseconds()) / 1000
	if err == nil && !s.Healthy {
		s.Error = "it answers, but is not healthy: most likely it knows no leader"
	}
	return err
}

// fetch reads a JSON answer of the only endpoint.
func (cl *client) fetch(ctx context.Context, path string, value any) error {
	a, err := cl.do(ctx, &request{method: http.MethodGet, path: path, alone: true})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, value); a.status != http.StatusOK || err != nil {
		return fmt.Errorf("%s%s: answered %d without what a member would say; is it one?", cl.endpoints[0], path, a.status)
	}
	return nil
}

// position reads how far the member is. Where the keys can't be read without credentials, it stays unknown.
func (cl *client) position(ctx context.Context, s *endpointStatus) error {
	a, err := cl.do(ctx, &request{method: http.MethodHead, path: "/v2/keys/", alone: true})
	if err != nil {
		return err
	}
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(a.header.Get(name), 10, 64) // without a number it is unknown
		return n
	}
	s.Index, s.Term, s.RaftIndex = number("X-Etcd-Index"), number("X-Raft-Term"), number("X-Raft-Index")
	return nil
}

// size reads Pando's metrics. Other servers have none of that name.
func (cl *client) size(ctx context.Context, s *endpointStatus) {
	a, err := cl.do(ctx, &request{method: http.MethodGet, path: "/metrics"})
	if err != nil || a.status != http.StatusOK {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		n := uint64(number)
		switch name {
		case "pando_tree_nodes":
			s.Nodes = &n
		case "pando_tree_bytes":
			s.Bytes = &n
		}
	}
}

func writeStatus(w io.Writer, statuses []*endpointStatus) {
	fmt.Fprintln(w, "ENDPOINT\tID\tNAME\tVERSION\tLEADER\tTERM\tRAFT INDEX\tINDEX\tNODES\tSIZE\tLATENCY\tERROR")
	for _, s := range statuses {
		leader := unknown
		if s.Version != "" {
			leader = strconv.FormatBool(s.Leader)
		}
		size := unknown
		if s.Bytes != nil {
			size = ByteCount(*s.Bytes)
		}
		fmt.Fprintln(w, strings.Join([]string{
			s.Endpoint, orUnknown(s.ID), orUnknown(s.Name), orUnknown(s.Version), leader, numberOrUnknown(s.Term),
			numberOrUnknown(s.RaftIndex), numberOrUnknown(s.Index), nodesOrUnknown(s.Nodes), size, latency(s), s.Error,
		}, "\t"))
	}
}

func writeHealth(w io.Writer, statuses []*endpointStatus) {
	fmt.Fprintln(w, "ENDPOINT\tHEALTHY\tLATENCY\tERROR")
	for _, s := range statuses {
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\n", s.Endpoint, s.Healthy, latency(s), s.Error)
	}
}

func latency(s *endpointStatus) string {
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

// numberOrUnknown writes a number that is never 0 where it is known.
func numberOrUnknown(n uint64) string {
	if n == 0 {
		return unknown
	}
	return strconv.FormatUint(n, 10)
}

func nodesOrUnknown(n *uint64) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatUint(*n, 10)
}

// trimLines removes the blanks at the ends of lines that aligning leaves.
func trimLines(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimRight(lines[i], " ")
	}
	return bytes.Join(lines, []byte("\n"))
}
