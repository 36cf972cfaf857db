package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// member is a member of the cluster on the wire. One that was added but never started has no name and no client URL.
type member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

const membersPath = "/v2/members"

// members asks for the list.
func (cl *client) members(ctx context.Context) ([]member, error) {
	a, err := cl.do(ctx, &request{method: http.MethodGet, path: membersPath})
	if err != nil {
		return nil, err
	}
	var list struct {
		Members []member `json:"members"`
	}
	err = readMembers(a, http.StatusOK, &list)
	return list.Members, err
}

// leader asks who leads.
func (cl *client) leader(ctx context.Context) (member, error) {
	a, err := cl.do(ctx, &request{method: http.MethodGet, path: membersPath + "/leader"})
	if err != nil {
		return member{}, err
	}
	var m member
	err = readMembers(a, http.StatusOK, &m)
	return m, err
}

// addMember adds a member and returns it with its new ID.
func (cl *client) addMember(ctx context.Context, peerURLs []string) (member, error) {
	a, err := cl.do(ctx, membersRequest(http.MethodPost, "", peerURLs))
	if err != nil {
		return member{}, err
	}
	var m member
	err = readMembers(a, http.StatusCreated, &m, http.StatusConflict)
	return m, err
}

func (cl *client) updateMember(ctx context.Context, id string, peerURLs []string) error {
	a, err := cl.do(ctx, membersRequest(http.MethodPut, id, peerURLs))
	if err != nil {
		return err
	}
	return readMembers(a, http.StatusNoContent, nil, http.StatusNotFound, http.StatusConflict)
}

// removeMember removes a member. One that is gone already is a success.
func (cl *client) removeMember(ctx context.Context, id string) error {
	a, err := cl.do(ctx, &request{method: http.MethodDelete, path: membersPath + "/" + id})
	if err != nil || a.status == http.StatusGone {
		return err
	}
	return readMembers(a, http.StatusNoContent, nil)
}

func membersRequest(method, id string, peerURLs []string) *request {
	// Strings: there is nothing in it that JSON can't hold.
	body, _ := json.Marshal(map[string][]string{"peerURLs": peerURLs})
	r := &request{method: method, path: membersPath, contentType: "application/json", body: string(body)}
	if id != "" {
		r.path += "/" + id
	}
	if method == http.MethodPost {
		r.repetition = harmful
	}
	return r
}

// readMembers reads an answer of /v2/members with the wanted status into value (nil: it has no body). The statuses in
// explained carry a message of the server.
func readMembers(a *answer, wanted int, value any, explained ...int) error {
	switch {
	case a.status == wanted && value == nil:
		return nil
	case a.status == wanted:
		return json.Unmarshal(a.body, value)
	case !slices.Contains(explained, a.status):
		return fmt.Errorf("unexpected status code %d", a.status)
	}
	var refusal struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(a.body, &refusal); err != nil {
		return err
	}
	return errors.New(refusal.Message)
}

// checkPeerURLs checks what the user gave for peer URLs and returns them trimmed and sorted.
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
	case err != nil && strings.Contains(given, ","): // the legacy client's parser lets these pass
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

// memberCommands is the member group.
func (p *program) memberCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "member", Usage: "member add, remove and list subcommands",
		Subcommands: []*cli.Command{
			p.command(&cli.Command{
				Name: "list", Usage: "enumerate existing cluster members", Action: p.onMembers(0, "No arguments accepted", p.listMembers),
				Description: p.examples(`member list`, "IDs, names and URLs; who leads; who was added but not started"),
			}),
			p.command(&cli.Command{
				Name: "add", Usage: "add a new member to the etcd cluster", ArgsUsage: "<name> <peerURL>",
				Action:      p.onMembers(2, "Provide a name and a single member peerURL", p.memberAdd),
				Description: p.examples(`member add node4 http://10.0.0.4:2380`, "then start it with the settings that this prints"),
			}),
			p.command(&cli.Command{
				Name: "remove", Usage: "remove an existing member from the etcd cluster", ArgsUsage: "<memberID>",
				Action:      p.onMembers(1, "Provide a single member ID", p.memberRemove),
				Description: p.examples(`member remove 8e9e05c52164694d`, "its ID as in member list"),
			}),
			p.command(&cli.Command{
				Name: "update", Usage: "update an existing member in the etcd cluster", ArgsUsage: "<memberID> <peerURLs>",
				Action: p.onMembers(2, "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)",
					p.memberUpdate),
				Description: p.examples(`member update 8e9e05c52164694d http://10.0.0.9:2380`, "its peer URLs, separated by commas"),
			}),
		},
	})
}
