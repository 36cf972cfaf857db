package etcdv2

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"pando/tree"
	"pando/tree/users"
)

// userSpace writes the users, the roles and the auth switch. etcd compares passwords with bcrypt alone. A user whose hash Pando has
// made keeps it: etcd accepts no password for it, and another import into Pando finds it again.
func (w *exportWriter) userSpace(v *tree.View) {
	index, state := v.Index(), v.Users()
	w.head(userSpace, index, index, 0, "")
	w.raw(`{"enabled":`)
	w.head(userSpace+"/enabled", index, index, 0, strconv.FormatBool(state.Enabled()))
	w.raw(`null},"roles":`)
	w.head(userSpace+"/roles", index, index, 0, "")
	w.raw("{")
	for r := range state.Roles() {
		if r.Name == users.Root { // etcd has this role without storing it
			continue
		}
		if w.refuseName("role", r.Name) {
			continue
		}
		stored := namedRole{Role: r.Name}
		stored.Permissions.KV.Read = w.patterns(r.Name, r.Read)
		stored.Permissions.KV.Write = w.patterns(r.Name, r.Write)
		value, _ := json.Marshal(stored) // never fails: plain types
		w.file(userSpace+"/roles/"+r.Name, index, string(value))
		w.report.Roles++
	}
	w.raw(`}},"users":`)
	w.head(userSpace+"/users", index, index, 0, "")
	w.raw("{")
	for u := range state.Users() {
		if w.refuseName("user", u.Name) {
			continue
		}
		w.user(index, u)
	}
	w.raw("}}}}")
	w.report.AuthEnabled = state.Enabled()
}

// user writes one user.
func (w *exportWriter) user(index uint64, u *users.User) {
	hash := u.PasswordHash
	if u.Name == users.Root && w.export.RootHash != "" {
		hash = w.export.RootHash
	}
	if _, err := bcrypt.Cost([]byte(hash)); err != nil {
		w.report.Locked = append(w.report.Locked, u.Name)
	}
	value, _ := json.Marshal(namedUser{User: u.Name, storedUser: storedUser{Password: hash, Roles: u.RolesV2()}}) // never fails: plain types
	w.file(userSpace+"/users/"+u.Name, index, string(value))
	w.report.Users++
}

// namedUser and namedRole are storedUser and storedRole as etcd writes them.
type namedUser struct {
	User string `json:"user"`
	storedUser
}

type namedRole struct {
	Role string `json:"role"`
	storedRole
}

// refuseName reports whether etcd can't have a user or a role of that name, and notes it.
func (w *exportWriter) refuseName(kind, name string) bool {
	refused := strings.Contains(name, "/") || name == "." || name == ".." || !isText(name)
	if refused {
		w.report.note("%s %.80q was left out: etcd can't have this name", kind, name)
	}
	return refused
}

// patterns returns the patterns of ranges; nil for nil.
func (w *exportWriter) patterns(role string, ranges []users.Range) []string {
	if ranges == nil {
		return nil
	}
	list := []string{}
	for _, r := range ranges {
		pattern := r.Pattern()
		if users.ParsePattern(pattern) != r || !isText(pattern) {
			w.report.note("role %.80q: the permission for %.80q was left out: etcd has no pattern for it", role, pattern)
			continue
		}
		list = append(list, pattern)
	}
	return list
}

// HashPassword returns a hash of a password that etcd can check, and Pando too. The error says what is wrong with the password.
func HashPassword(password string) (string, error) {
	if password == "" {
		return "", errors.New("the password is empty")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("the password can't be hashed for etcd: %w", err)
	}
	return string(hash), nil
}

// noteLocked notes the users who can't log in to etcd.
func (r *Report) noteLocked() {
	for _, name := range r.Locked {
		r.note("user %q has no password in etcd, which can't check the hash that Pando has made: nobody can log in as this user "+
			"until root sets one: etcdctl user passwd %s", name, quoteShell(name))
	}
}

func quoteShell(name string) string { return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'" }

// replaced counts what JSON can't carry.
type replaced struct{ values, paths, collisions examples }

// examples counts paths and keeps the first ones.
type examples struct {
	count int
	first []string
}

func (e *examples) add(path string) {
	if e.count++; e.count <= maxExamples {
		e.first = append(e.first, fmt.Sprintf("%.80q", path))
	}
}

// noteReplaced notes what JSON can't carry, with a few examples of each kind.
func (r *Report) noteReplaced(p *replaced) {
	for _, kind := range []struct {
		examples
		text string
	}{
		{p.values, "values have bytes that are not UTF-8, in place of which etcd gets U+FFFD. Answers of Pando and of etcd show U+FFFD, too; " +
			"only a comparison with prevValue can tell the difference"},
		{p.paths, "keys and directories have names with bytes that are not UTF-8, in place of which etcd gets U+FFFD"},
		{p.collisions, "keys and directories were left out, with all below them: when U+FFFD is put in place of the bytes that are not UTF-8, " +
			"others have the same name"},
	} {
		if kind.count > 0 {
			r.note("%d %s: %s", kind.count, kind.text, strings.Join(kind.first, ", "))
		}
	}
}

func isText(text string) bool { return utf8.ValidString(text) }
