package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Member is a member of the cluster, as JSON on the wire. One that was added and has never started has no name and no
// client URL.
type Member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

const membersPath = "/v2/members"

// Members lists the members.
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

// Leader returns the member that leads.
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
	r.repetition = unsafe
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

// RemoveMember removes a member. If it was removed before, there is no error.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	a, err := c.send(ctx, &request{method: http.MethodDelete, path: membersPath + "/" + id})
	if err != nil || a.status == http.StatusGone {
		return err
	}
	return a.decode(http.StatusNoContent, nil)
}

func peerURLsRequest(method, path string, peerURLs []string) *request {
	body, _ := json.Marshal(map[string][]string{"peerURLs": peerURLs}) // strings can always be encoded
	return &request{method: method, path: path, contentType: "application/json", body: string(body)}
}

// decode reads the body of an answer with the wanted status into value; nil: there is no body. An answer with another
// status is an error: the message in its body if the status is one of explained.
func (a *answer) decode(wanted int, value any, explained ...int) error {
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
