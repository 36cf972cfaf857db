package ctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// onMembers makes a command about the members: it takes so many arguments, or says what it wants, and runs under
// --total-timeout.
func (p *program) onMembers(arguments int, wanted string, act func(ctx context.Context, c *cli.Context, cl *client) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() != arguments {
			return &failure{code: exitBadArguments, text: wanted + "\n"}
		}
		cl, err := p.connect(c)
		if err != nil {
			return err
		}
		ctx, cancel := limited(c)
		defer cancel()
		return act(ctx, c, cl)
	}
}

func (p *program) listMembers(ctx context.Context, _ *cli.Context, cl *client) error {
	members, err := cl.members(ctx)
	if err != nil {
		return bareFailure(err)
	}
	leader, err := cl.leader(ctx)
	if err != nil {
		return &failure{exitBadArguments, fmt.Sprintf("Failed to get leader:  %v\n", err), err}
	}
	for _, m := range members {
		if _, err := fmt.Fprintln(p.stdout, describe(m, leader.ID)); err != nil {
			return err
		}
	}
	return nil
}

// describe is a line of member list.
func describe(m member, leaderID string) string {
	peers := strings.Join(m.PeerURLs, ",")
	if m.Name == "" {
		return fmt.Sprintf("%s[unstarted]: peerURLs=%s", m.ID, peers)
	}
	return fmt.Sprintf("%s: name=%s peerURLs=%s clientURLs=%s isLeader=%v",
		m.ID, m.Name, peers, strings.Join(m.ClientURLs, ","), m.ID == leaderID)
}

func (p *program) memberAdd(ctx context.Context, c *cli.Context, cl *client) error {
	name := c.Args().Get(0)
	peerURLs, err := checkPeerURLs(c.Args().Get(1))
	if err != nil {
		return bareFailure(err)
	}
	added, err := cl.addMember(ctx, peerURLs)
	if err != nil {
		return bareFailure(err)
	}
	if _, err := fmt.Fprintf(p.stdout, "Added member named %s with ID %s to cluster\n", name, added.ID); err != nil {
		return err
	}
	members, err := cl.members(ctx)
	if err != nil {
		return bareFailure(err)
	}
	_, err = fmt.Fprintf(p.stdout, "\nETCD_NAME=%q\nETCD_INITIAL_CLUSTER=%q\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n",
		name, strings.Join(initialCluster(members, added.ID, name), ","))
	return err
}

// initialCluster lists name=peerURL of the started members and of the new one, which no member knows by name.
func initialCluster(members []member, newID, newName string) []string {
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

func (p *program) memberRemove(ctx context.Context, c *cli.Context, cl *client) error {
	id := c.Args().First()
	members, err := cl.members(ctx)
	if err != nil {
		return &failure{exitBadArguments, fmt.Sprintf("Error while verifying ID against known members: %v\n", err), err}
	}
	if err := p.checkMemberID(members, id); err != nil {
		return err
	}
	if err := cl.removeMember(ctx, id); err != nil {
		return &failure{exitBadArguments, fmt.Sprintf("Received an error trying to remove member %s: %v", id, err), err}
	}
	_, err = fmt.Fprintf(p.stdout, "Removed member %s from cluster\n", id)
	return err
}

// checkMemberID refuses an ID that no member has. A name is the usual mistake.
func (p *program) checkMemberID(members []member, id string) error {
	hint := ""
	for _, m := range members {
		if m.ID == id {
			return nil
		}
		if m.Name == id {
			hint = fmt.Sprintf("Found a member named %s; if this is correct, please use its ID, eg:\n\t%s member remove %s\n"+
				"For more details, read the documentation at https://github.com/etcd-io/etcd/blob/master/Documentation/runtime-configuration.md#remove-a-member\n\n",
				m.Name, p.name, m.ID)
		}
	}
	return &failure{code: exitBadArguments, text: fmt.Sprintf("%sCouldn't find a member in the cluster with an ID of %s.\n", hint, id)}
}

func (p *program) memberUpdate(ctx context.Context, c *cli.Context, cl *client) error {
	id := c.Args().Get(0)
	peerURLs, err := checkPeerURLs(strings.Split(c.Args().Get(1), ",")...)
	if err != nil {
		return bareFailure(err)
	}
	if err := cl.updateMember(ctx, id, peerURLs); err != nil {
		return bareFailure(err)
	}
	_, err = fmt.Fprintf(p.stdout, "Updated member with ID %s in cluster\n", id)
	return err
}
