package v3

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

func (p *program) memberCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "member", Usage: "members: list, add, promote, update, remove",
		Subcommands: []*cli.Command{
			p.memberListCommand(), p.memberAddCommand(), p.memberPromoteCommand(), p.memberUpdateCommand(), p.memberRemoveCommand(),
		},
		Description: p.examples(
			`member list -w table`, "all members with their IDs",
			`member add m4 --peer-urls http://10.0.0.4:2380`, "announce a member; it prints the settings to start it with",
			`member remove 8e9e05c52164694d`, "remove a member that is gone for good"),
	})
}

// withMemberID is calling, for a command whose argument is the ID of a member.
func (p *program) withMemberID(run func(ctx context.Context, cl *client.Client, id uint64) error) cli.ActionFunc {
	return p.withArguments(1, "member ID is not provided", func(ctx context.Context, cl *client.Client, args []string) error {
		id, err := strconv.ParseUint(args[0], 16, 64)
		if err != nil {
			return badArguments("bad member ID arg (%w), expecting ID in Hex", err)
		}
		return run(ctx, cl, id)
	})
}

// peerURLsFlag returns the flag --peer-urls.
func peerURLsFlag(to *string) cli.Flag {
	return &cli.StringFlag{Name: "peer-urls", Destination: to, Usage: "comma-separated `URLs` for the other members"}
}

func (p *program) memberListCommand() *cli.Command {
	consistency := ""
	return p.command(&cli.Command{
		Name: "list", Usage: "list all members", ArgsUsage: " ",
		Description: p.explain(`The parts of a line are the ID, the status, the name, the URLs for members, the URLs for clients, and whether it
			is a learner.`),
		Flags: []cli.Flag{&cli.StringFlag{Name: "consistency", Destination: &consistency, Value: "l",
			Usage: "l: the newest list of the cluster; s: the list of one member, which may be older"}},
		Action: p.calling(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
			if consistency != "l" && consistency != "s" {
				return fail(exitBadFeature, "unknown consistency flag %q", consistency)
			}
			r, err := cl.Cluster.MemberList(ctx, &pb.MemberListRequest{Linearizable: consistency == "l"})
			if err != nil {
				return err
			}
			return p.print(p.memberListAnswer(r))
		}),
	}, formatJSON, formatFields, formatProtobuf, formatTable)
}

// hexMember is a member in JSON with --hex.
type hexMember struct {
	ID         string   `json:"ID"`
	Name       string   `json:"name,omitempty"`
	PeerURLs   []string `json:"peerURLs,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
	IsLearner  bool     `json:"isLearner,omitempty"`
}

func (p *program) memberListAnswer(r *pb.MemberListResponse) answer {
	var rows [][]string
	var hexed []hexMember
	for _, m := range r.Members {
		status := "started"
		if m.Name == "" {
			status = "unstarted"
		}
		id := fmt.Sprintf("%x", m.ID)
		peers, clients := strings.Join(m.PeerURLs, ","), strings.Join(m.ClientURLs, ",")
		rows = append(rows, []string{id, status, m.Name, peers, clients, fmt.Sprint(m.IsLearner)})
		hexed = append(hexed, hexMember{id, m.Name, m.PeerURLs, m.ClientURLs, m.IsLearner})
	}
	a := answer{
		message: r,
		simple:  func(t *text) { t.rows(rows) },
		table: func() *table {
			return &table{[]string{"ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"}, rows}
		},
		fields: func(t *text) { t.memberFields(r) },
	}
	if p.globals.hex {
		type header struct {
			ClusterID string `json:"cluster_id"`
			MemberID  string `json:"member_id"`
			RaftTerm  uint64 `json:"raft_term,omitempty"`
		}
		a.json = struct {
			Header  header      `json:"header"`
			Members []hexMember `json:"members"`
		}{header{fmt.Sprintf("%x", r.Header.GetClusterId()), fmt.Sprintf("%x", r.Header.GetMemberId()), r.Header.GetRaftTerm()}, hexed}
	}
	return a
}

func (t *text) memberFields(r *pb.MemberListResponse) {
	t.header(r.Header)
	for _, m := range r.Members {
		t.id("ID", m.ID, "%x")
		t.field("Name", m.Name)
		for _, u := range m.PeerURLs {
			t.field("PeerURL", u)
		}
		for _, u := range m.ClientURLs {
			t.field("ClientURL", u)
		}
		t.field("IsLearner", m.IsLearner)
		t.linef("")
	}
}

func (p *program) memberAddCommand() *cli.Command {
	urls, learner := "", false
	return p.command(&cli.Command{
		Name: "add", Usage: "add a member", ArgsUsage: "<name>",
		Flags: []cli.Flag{peerURLsFlag(&urls), boolFlag(&learner, "learner", "add it without a vote; member promote gives it one")},
		Description: p.explain(`It prints the settings to start the member with. Add one member at a time, and start it before the next: each
			one counts for the majority at once, unless it is a learner.`),
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			switch {
			case c.NArg() < 1:
				return badArguments("member name not provided")
			case c.NArg() > 1:
				return badArguments("too many arguments")
			case urls == "":
				return badArguments("member peer urls not provided")
			}
			request := &pb.MemberAddRequest{PeerURLs: strings.Split(urls, ","), IsLearner: learner}
			if err := checkURLs(request.PeerURLs); err != nil {
				return err
			}
			r, err := cl.Cluster.MemberAdd(ctx, request)
			if err != nil {
				return err
			}
			id, learned := r.Member.GetID(), "" // Pando adds members without --learner as learners, too
			if r.Member.GetIsLearner() {
				learned = "as learner "
			}
			err = p.printHeader(r, nil, "Member %16x added %sto cluster %16x", id, learned, r.Header.GetClusterId())
			if err != nil || p.globals.output != formatSimple {
				return err
			}
			return p.printSettings(r, c.Args().First())
		}),
	}, answerFormats...)
}

// checkURLs returns an error for a URL that can't be that of a member.
func checkURLs(urls []string) error {
	for _, u := range urls {
		scheme, rest, _ := strings.Cut(u, "://")
		switch scheme {
		case "http", "https", "unix", "unixs":
			if rest == "" {
				return fail(exitError, "URL %s names no host; write it as %s://HOST:2380", u, scheme)
			}
		default:
			return fail(exitError, "URL scheme must be http, https, unix, or unixs: %s", u)
		}
	}
	return nil
}

// printSettings prints the settings to start a new member with.
func (p *program) printSettings(r *pb.MemberAddResponse, name string) error {
	var cluster []string
	for _, m := range r.Members {
		for _, u := range m.PeerURLs {
			n := m.Name
			if m.ID == r.Member.GetID() {
				n = name
			}
			cluster = append(cluster, n+"="+u)
		}
	}
	_, err := fmt.Fprintf(p.stdout, "\nETCD_NAME=%q\nETCD_INITIAL_CLUSTER=%q\nETCD_INITIAL_ADVERTISE_PEER_URLS=%q\n"+
		"ETCD_INITIAL_CLUSTER_STATE=\"existing\"\n", name, strings.Join(cluster, ","), strings.Join(r.Member.GetPeerURLs(), ","))
	return err
}

func (p *program) memberPromoteCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "promote", Usage: "give a learner a vote", ArgsUsage: "<member ID>",
		Action: p.withMemberID(func(ctx context.Context, cl *client.Client, id uint64) error {
			r, err := cl.Cluster.MemberPromote(ctx, &pb.MemberPromoteRequest{ID: id})
			return p.printHeader(r, err, "Member %16x promoted in cluster %16x", id, r.GetHeader().GetClusterId())
		}),
	}, answerFormats...)
}

func (p *program) memberUpdateCommand() *cli.Command {
	urls := ""
	return p.command(&cli.Command{
		Name: "update", Usage: "change the URLs of a member", ArgsUsage: "<member ID>",
		Flags: []cli.Flag{peerURLsFlag(&urls)},
		Action: p.withMemberID(func(ctx context.Context, cl *client.Client, id uint64) error {
			if urls == "" {
				return badArguments("member peer urls not provided")
			}
			request := &pb.MemberUpdateRequest{ID: id, PeerURLs: strings.Split(urls, ",")}
			if err := checkURLs(request.PeerURLs); err != nil {
				return err
			}
			r, err := cl.Cluster.MemberUpdate(ctx, request)
			return p.printHeader(r, err, "Member %16x updated in cluster %16x", id, r.GetHeader().GetClusterId())
		}),
	}, answerFormats...)
}

func (p *program) memberRemoveCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "remove", Usage: "remove a member", ArgsUsage: "<member ID>",
		Action: p.withMemberID(func(ctx context.Context, cl *client.Client, id uint64) error {
			r, err := cl.Cluster.MemberRemove(ctx, &pb.MemberRemoveRequest{ID: id})
			return p.printHeader(r, err, "Member %16x removed from cluster %16x", id, r.GetHeader().GetClusterId())
		}),
	}, answerFormats...)
}
