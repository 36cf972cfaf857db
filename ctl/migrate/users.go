package migrate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pando/ctl/client"
)

// accounts are the users and roles of a cluster. Passwords are in no API.
type accounts struct {
	enabled bool
	users   map[string]string // to the names of their roles
	roles   map[string]string // to their permissions
}

// compareUsers compares the users and roles of the source and the target. It returns one line for each difference.
func compareUsers(ctx context.Context, source *Source, target *Target) ([]string, error) {
	here, err := readAccounts(ctx, source.client)
	if err != nil {
		return nil, source.explain(fmt.Errorf("users and roles: %w", err))
	}
	there, err := readAccounts(ctx, target.client)
	if err != nil {
		return nil, target.explain(fmt.Errorf("users and roles: %w", err))
	}
	var lines []string
	if here.enabled != there.enabled {
		lines = append(lines, fmt.Sprintf("auth is %s at the source, and %s at the target", onOff(here.enabled), onOff(there.enabled)))
	}
	lines = append(lines, compareNames("user", here.users, there.users)...)
	return append(lines, compareNames("role", here.roles, there.roles)...), nil
}

func onOff(enabled bool) string {
	if enabled {
		return "enabled"
	}
	return "disabled"
}

// readAccounts reads the users and roles of a cluster.
func readAccounts(ctx context.Context, c *client.Client) (*accounts, error) {
	a := &accounts{users: map[string]string{}, roles: map[string]string{}}
	var err error
	if a.enabled, err = c.AuthEnabled(ctx); err != nil {
		return nil, err
	}
	users, err := c.Users(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		var names []string
		for _, r := range u.Roles {
			names = append(names, r.Name)
		}
		slices.Sort(names)
		a.users[u.Name] = "roles " + strings.Join(names, " ")
	}
	roles, err := c.Roles(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		slices.Sort(r.Permissions.KV.Read)
		slices.Sort(r.Permissions.KV.Write)
		a.roles[r.Name] = fmt.Sprintf("read %s, write %s", strings.Join(r.Permissions.KV.Read, " "), strings.Join(r.Permissions.KV.Write, " "))
	}
	return a, nil
}

// compareNames compares users, or roles, by their names.
func compareNames(kind string, source, target map[string]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(source)) {
		other, exists := target[name]
		switch {
		case !exists:
			lines = append(lines, fmt.Sprintf("%s %s is missing at the target (%s)", kind, name, source[name]))
		case other != source[name]:
			lines = append(lines, fmt.Sprintf("%s %s has %s at the source, and %s at the target", kind, name, source[name], other))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(target)) {
		if _, exists := source[name]; !exists {
			lines = append(lines, fmt.Sprintf("%s %s is missing at the source", kind, name))
		}
	}
	return lines
}
