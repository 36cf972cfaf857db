package ctl

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// memberCommands returns the group member.
func (p *program) memberCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "member", Usage: "member add, remove and list subcommands",
		Subcommands: []*cli.Command{
			p.command(&cli.Command{
				Name: "list", Usage: "enumerate existing cluster members",
				Description: p.examples(`member list`, "the ID, name and URLs of each member, and the leader"),
				Action:      p.onMembers(0, noArguments, p.listMembers),
			}),
			p.command(&cli.Command{
				Name: "add", Usage: "add a new member to the etcd cluster", ArgsUsage: "<name> <peerURL>",
				Description: p.examples(`member add node4 http://10.0.0.4:2380`, "then start it with the settings that this prints"),
				Action:      p.onMembers(2, "Provide a name and a single member peerURL", p.addMember),
			}),
			p.command(&cli.Command{
				Name: "remove", Usage: "remove an existing member from the etcd cluster", ArgsUsage: "<memberID>",
				Description: p.examples(`member remove 8e9e05c52164694d`, "its ID as in member list"),
				Action:      p.onMembers(1, "Provide a single member ID", p.removeMember),
			}),
			p.command(&cli.Command{
				Name: "update", Usage: "update an existing member in the etcd cluster", ArgsUsage: "<memberID> <peerURLs>",
				Description: p.examples(`member update 8e9e05c52164694d http://10.0.0.9:2380`, "its peer URLs, separated by commas"),
				Action: p.onMembers(2, "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)",
					p.updateMember),
			}),
		},
	})
}

// onMembers returns the action of a command about the members that takes a fixed number of arguments. wanted is the error
// text for any other number.
func (p *program) onMembers(arguments int, wanted string, run clusterCommand) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() != arguments {
			return bareMessage(wanted)
		}
		return p.writing(run)(c)
	}
}

func (p *program) listMembers(ctx context.Context, cl *client.Client, _ []string) error {
	members, err := cl.Members(ctx)
	if err != nil {
		return bareFailure(err)
	}
	leader, err := cl.Leader(ctx)
	if err != nil {
		return &failure{exitBadArguments, fmt.Sprintf("Failed to get leader:  %v\n", err), err}
	}
	for _, m := range members {
		if _, err := fmt.Fprintln(p.stdout, memberLine(m, leader.ID)); err != nil {
			return err
		}
	}
	return nil
}

// memberLine returns the line of a member in member list.
func memberLine(m client.Member, leaderID string) string {
	peers := strings.Join(m.PeerURLs, ",")
	if m.Name == "" {
		return fmt.Sprintf("%s[unstarted]: peerURLs=%s", m.ID, peers)
	}
	return fmt.Sprintf("%s: name=%s peerURLs=%s clientURLs=%s isLeader=%v",
		m.ID, m.Name, peers, strings.Join(m.ClientURLs, ","), m.ID == leaderID)
}

func (p *program) addMember(ctx context.Context, cl *client.Client, args []string) error {
	name := args[0]
	peerURLs, err := checkPeerURLs(args[1])
	if err != nil {
		return bareFailure(err)
	}
	added, err := cl.AddMember(ctx, peerURLs)
	if err != nil {
		return bareFailure(err)
	}
	if _, err := fmt.Fprintf(p.stdout, "Added member named %s with ID %s to cluster\n", name, added.ID); err != nil {
		return err
	}
	members, err := cl.Members(ctx)
	if err != nil {
		return bareFailure(err)
	}
	_, err = fmt.Fprintf(p.stdout, "\nETCD_NAME=%q\nETCD_INITIAL_CLUSTER=%q\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n",
		name, strings.Join(initialCluster(members, added.ID, name), ","))
	return err
}

// initialCluster returns name=peerURL of the started members and of the new one. The cluster does not have the name of the
// new one until it starts.
func initialCluster(members []client.Member, newID, newName string) []string {
	var entries []string
	for _, m := range members {
		name := m.Name
		if m.ID == newID {
			name = newName
		}
		for _, u := range m.PeerURLs {
			if name != "" {
				entries = append(entries, name+"="+u)
			}
		}
	}
	return entries
}

func (p *program) removeMember(ctx context.Context, cl *client.Client, args []string) error {
	id := args[0]
	members, err := cl.Members(ctx)
	if err != nil {
		return &failure{exitBadArguments, fmt.Sprintf("Error while verifying ID against known members: %v\n", err), err}
	}
	if err := p.checkMemberID(members, id); err != nil {
		return err
	}
	if err := cl.RemoveMember(ctx, id); err != nil {
		return &failure{exitBadArguments, fmt.Sprintf("Received an error trying to remove member %s: %v", id, err), err}
	}
	_, err = fmt.Fprintf(p.stdout, "Removed member %s from cluster\n", id)
	return err
}

// checkMemberID returns an error for an ID that no member has. If id is the name of a member, the error has the ID of that
// member.
func (p *program) checkMemberID(members []client.Member, id string) error {
	hint := ""
	for _, m := range members {
		if m.ID == id {
			return nil
		}
		if m.Name == id {
			hint = fmt.Sprintf("Found a member named %s; if this is correct, please use its ID, eg:\n\t%s member remove %s\n"+
				"For more details, read the documentation at "+
				"https://github.com/etcd-io/etcd/blob/master/Documentation/runtime-configuration.md#remove-a-member\n\n",
				m.Name, p.name, m.ID)
		}
	}
	return &failure{code: exitBadArguments, text: fmt.Sprintf("%sCouldn't find a member in the cluster with an ID of %s.\n", hint, id)}
}

func (p *program) updateMember(ctx context.Context, cl *client.Client, args []string) error {
	id := args[0]
	peerURLs, err := checkPeerURLs(strings.Split(args[1], ",")...)
	if err != nil {
		return bareFailure(err)
	}
	if err := cl.UpdateMember(ctx, id, peerURLs); err != nil {
		return bareFailure(err)
	}
	_, err = fmt.Fprintf(p.stdout, "Updated member with ID %s in cluster\n", id)
	return err
}

// checkPeerURLs checks peer URLs of the user and returns them trimmed and sorted.
func checkPeerURLs(given ...string) ([]string, error) {
	urls := make([]string, len(given))
	for i, g := range given {
		urls[i] = strings.TrimSpace(g)
		if err := checkPeerURL(urls[i]); err != nil {
			return nil, err
		}
	}
	slices.Sort(urls)
	return urls, nil
}

func checkPeerURL(given string) error {
	u, err := url.Parse(given)
	switch {
	case err != nil && strings.Contains(given, ","): // the parser of the legacy client accepts these, and its next check fails
		return fmt.Errorf("URL address does not have the form \"host:port\": %s", given)
	case err != nil:
		return err
	case !slices.Contains([]string{"http", "https", "unix", "unixs"}, u.Scheme):
		return fmt.Errorf("URL scheme must be http, https, unix, or unixs: %s", given)
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return fmt.Errorf("URL address does not have the form \"host:port\": %s", given)
	}
	if u.Path != "" {
		return fmt.Errorf("URL must not contain a path: %s", given)
	}
	return nil
}
