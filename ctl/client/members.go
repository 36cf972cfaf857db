package client

import (
	"context"
	"net/http"
)

// Member is a member of the cluster, as JSON on the wire. A member that was added but has never started has no name and no
// client URLs.
type Member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

const membersPath = "/v2/members"

// Members returns the members of the cluster.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: membersPath})
	if err != nil {
		return nil, err
	}
	var list struct {
		Members []Member `json:"members"`
	}
	err = a.decode(http.StatusOK, &list)
	return list.Members, err
}

// Leader returns the leader of the cluster.
func (c *Client) Leader(ctx context.Context) (Member, error) {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: membersPath + "/leader"})
	if err != nil {
		return Member{}, err
	}
	var m Member
	err = a.decode(http.StatusOK, &m)
	return m, err
}

// AddMember adds a member and returns it with its new ID.
func (c *Client) AddMember(ctx context.Context, peerURLs []string) (Member, error) {
	r := peerURLsRequest(http.MethodPost, membersPath, peerURLs)
	r.repetition = unrepeatable
	a, err := c.send(ctx, r)
	if err != nil {
		return Member{}, err
	}
	var m Member
	err = a.decode(http.StatusCreated, &m, http.StatusConflict)
	return m, err
}

// UpdateMember replaces the peer URLs of a member.
func (c *Client) UpdateMember(ctx context.Context, id string, peerURLs []string) error {
	a, err := c.send(ctx, peerURLsRequest(http.MethodPut, membersPath+"/"+id, peerURLs))
	if err != nil {
		return err
	}
	return a.decode(http.StatusNoContent, nil, http.StatusNotFound, http.StatusConflict)
}

// RemoveMember removes a member. It returns no error if the member was removed before.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	a, err := c.send(ctx, &request{method: http.MethodDelete, path: membersPath + "/" + id})
	if err != nil || a.status == http.StatusGone {
		return err
	}
	return a.decode(http.StatusNoContent, nil)
}

func peerURLsRequest(method, path string, peerURLs []string) *request {
	r := &request{method: method, path: path}
	r.setJSON(map[string][]string{"peerURLs": peerURLs})
	return r
}
