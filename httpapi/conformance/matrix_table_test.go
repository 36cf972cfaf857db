package conformance

import (
	"encoding/base64"
	"strings"
)

// matrixPrincipal is one kind of sender. Each has a directory of its own, so that principals do not disturb each other.
type matrixPrincipal struct {
	name string // and of the directory
	// header is the Authorization header; empty for none.
	header string
	// certificate is the common name of the client certificate; empty for a connection without TLS.
	certificate string
	// role gets the rights to the directory.
	role   string
	rights matrixRights
}

// matrixRights returns the patterns that a principal may read and write.
type matrixRights func(p *matrixPrincipal) (read, write []string)

func both(patterns []string) (read, write []string) { return patterns, patterns }

// The kinds of rights.
var (
	rightsNone matrixRights = func(*matrixPrincipal) (read, write []string) { return nil, nil }
	// rightsExact have one pattern for each file and directory, without a star.
	rightsExact matrixRights = func(p *matrixPrincipal) (read, write []string) {
		return both(p.patterns("/file", "/dir", "/none"))
	}
	// rightsBelow have a pattern for everything below each directory, but not for the directory.
	rightsBelow  matrixRights = func(p *matrixPrincipal) (read, write []string) { return both(p.patterns("/dir/*")) }
	rightsPrefix matrixRights = func(p *matrixPrincipal) (read, write []string) { return both([]string{"/" + p.name + "/*"}) }
	rightsRead   matrixRights = func(p *matrixPrincipal) (read, write []string) { return []string{"/" + p.name + "/*"}, nil }
	rightsWrite  matrixRights = func(p *matrixPrincipal) (read, write []string) { return nil, []string{"/" + p.name + "/*"} }
)

// patterns returns each suffix for each operation.
func (p *matrixPrincipal) patterns(suffixes ...string) []string {
	var all []string
	for i := range matrixOperations {
		if o := &matrixOperations[i]; o.usesDirectory() {
			for _, suffix := range suffixes {
				all = append(all, o.directory(p)+suffix)
			}
		}
	}
	return all
}

// matrixHeader returns the header for a name and a password.
func matrixHeader(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// matrixUsers has the roles of each user. The password of a user is the name.
var matrixUsers = map[string][]string{
	"root": {"root"}, "admin": {"root"}, "exact": {"exact"}, "below": {"below"}, "prefix": {"prefix"}, "reader": {"reader"},
	"writer": {"writer"}, "several": {"nothing", "exact-of-several", "prefix-of-several"}, "without": {}, "missing": {"does-not-exist"},
	"certified": {"certified"},
}

// matrixPrincipals are the columns of the matrix.
var matrixPrincipals = []matrixPrincipal{
	{name: "guest-without", role: "guest", rights: rightsNone},
	{name: "guest-exact", role: "guest", rights: rightsExact},
	{name: "guest-below", role: "guest", rights: rightsBelow},
	{name: "guest-prefix", role: "guest", rights: rightsPrefix},
	{name: "root", header: matrixHeader("root", "root"), role: "nothing", rights: rightsNone},
	{name: "admin", header: matrixHeader("admin", "admin"), role: "nothing", rights: rightsNone},
	{name: "exact", header: matrixHeader("exact", "exact"), role: "exact", rights: rightsExact},
	{name: "below", header: matrixHeader("below", "below"), role: "below", rights: rightsBelow},
	{name: "prefix", header: matrixHeader("prefix", "prefix"), role: "prefix", rights: rightsPrefix},
	{name: "reader", header: matrixHeader("reader", "reader"), role: "reader", rights: rightsRead},
	{name: "writer", header: matrixHeader("writer", "writer"), role: "writer", rights: rightsWrite},
	{name: "several-exact", header: matrixHeader("several", "several"), role: "exact-of-several", rights: rightsExact},
	{name: "several-prefix", header: matrixHeader("several", "several"), role: "prefix-of-several", rights: rightsPrefix},
	{name: "without-roles", header: matrixHeader("without", "without"), role: "nothing", rights: rightsNone},
	{name: "role-is-missing", header: matrixHeader("missing", "missing"), role: "nothing", rights: rightsNone},
	{name: "elsewhere", header: matrixHeader("prefix", "prefix"), role: "nothing", rights: rightsNone},
	{name: "wrong-password", header: matrixHeader("prefix", "wrong"), role: "prefix", rights: rightsPrefix},
	{name: "empty-password", header: matrixHeader("prefix", ""), role: "prefix", rights: rightsPrefix},
	// A guest may do what these may not: bad credentials are never those of a guest.
	{name: "wrong-password-open", header: matrixHeader("prefix", "wrong"), role: "guest", rights: rightsPrefix},
	{name: "unknown-user-open", header: matrixHeader("nobody", "nobody"), role: "guest", rights: rightsPrefix},
	{name: "malformed-open", header: "Basic not-base64", role: "guest", rights: rightsPrefix},
	{name: "bearer-open", header: "Bearer token", role: "guest", rights: rightsPrefix},
	{name: "root-wrong-password", header: matrixHeader("root", "wrong"), role: "guest", rights: rightsPrefix},
	{name: "certificate", certificate: "certified", role: "certified", rights: rightsPrefix},
	{name: "certificate-exact", certificate: "certified", role: "certified", rights: rightsExact},
	{name: "certificate-of-root", certificate: "root", role: "nothing", rights: rightsNone},
	{name: "certificate-unknown", certificate: "nobody", role: "guest", rights: rightsPrefix},
	{name: "certificate-and-basic", certificate: "root", header: matrixHeader("prefix", "prefix"), role: "prefix", rights: rightsPrefix},
	{name: "certificate-wrong-basic", certificate: "root", header: matrixHeader("prefix", "wrong"), role: "prefix", rights: rightsPrefix},
}

// matrixOperation is one row of the matrix. In its path, {d} is the directory for the operation and the principal: it has the files
// "file", "dir/sub" and "_hidden". {file} and {sub} are the indexes at which two of them were made.
type matrixOperation struct {
	name, method, path string
	form               string // the body
	json               bool   // the body is JSON
}

// usesDirectory reports whether the operation needs a directory.
func (o *matrixOperation) usesDirectory() bool { return strings.Contains(o.path, "{d}") }

// directory returns the path of the directory for the operation and the principal.
func (o *matrixOperation) directory(p *matrixPrincipal) string {
	return "/" + p.name + "/" + strings.ReplaceAll(o.name, " ", "-")
}

// matrixOperations are the rows of the matrix. The watches come first, because the history must still have their events.
var matrixOperations = []matrixOperation{
	{name: "watch a file", method: "GET", path: "/v2/keys{d}/file?wait=true&waitIndex={file}"},
	{name: "watch a file as a stream", method: "GET", path: "/v2/keys{d}/file?wait=true&stream=true&waitIndex={file}"},
	{name: "watch a file and below", method: "GET", path: "/v2/keys{d}/file?wait=true&recursive=true&waitIndex={file}"},
	{name: "watch a directory", method: "GET", path: "/v2/keys{d}/dir/?wait=true&recursive=true&waitIndex={sub}"},
	{name: "watch all", method: "GET", path: "/v2/keys/?wait=true&recursive=true&waitIndex={sub}"},

	{name: "get a file", method: "GET", path: "/v2/keys{d}/file"},
	{name: "get a file with quorum", method: "GET", path: "/v2/keys{d}/file?quorum=true"},
	{name: "head a file", method: "HEAD", path: "/v2/keys{d}/file"},
	{name: "get a file with a slash", method: "GET", path: "/v2/keys{d}/file/"},
	{name: "get a file recursively", method: "GET", path: "/v2/keys{d}/file?recursive=true"},
	{name: "get a file with two slashes", method: "GET", path: "/v2/keys/{d}/file"},
	{name: "get a file through dots", method: "GET", path: "/v2/keys{d}/dir/../file"},
	{name: "get a hidden file", method: "GET", path: "/v2/keys{d}/_hidden"},
	{name: "get a missing file", method: "GET", path: "/v2/keys{d}/none"},
	{name: "list", method: "GET", path: "/v2/keys{d}/dir"},
	{name: "list with a slash", method: "GET", path: "/v2/keys{d}/dir/"},
	{name: "list recursively", method: "GET", path: "/v2/keys{d}/dir?recursive=true"},
	{name: "list recursively with a slash", method: "GET", path: "/v2/keys{d}/dir/?recursive=true"},
	{name: "list recursively with quorum", method: "GET", path: "/v2/keys{d}/dir?recursive=true&quorum=true"},
	{name: "list all", method: "GET", path: "/v2/keys/"},
	{name: "list all without a slash", method: "GET", path: "/v2/keys"},
	{name: "list all recursively", method: "GET", path: "/v2/keys/?recursive=true"},

	{name: "put a file", method: "PUT", path: "/v2/keys{d}/file", form: "value=2"},
	{name: "put a new file", method: "PUT", path: "/v2/keys{d}/none", form: "value=2"},
	{name: "put a file below", method: "PUT", path: "/v2/keys{d}/dir/new", form: "value=2"},
	{name: "put a hidden file", method: "PUT", path: "/v2/keys{d}/_hidden", form: "value=2"},
	{name: "put a directory", method: "PUT", path: "/v2/keys{d}/dir", form: "dir=true&prevExist=true"},
	{name: "put a file with recursive", method: "PUT", path: "/v2/keys{d}/file?recursive=true", form: "value=2"},
	{name: "update a file", method: "PUT", path: "/v2/keys{d}/file", form: "value=2&prevExist=true"},
	{name: "create a file", method: "PUT", path: "/v2/keys{d}/file", form: "value=2&prevExist=false"},
	{name: "compare and swap", method: "PUT", path: "/v2/keys{d}/file", form: "value=2&prevValue=1"},
	{name: "compare and swap fails", method: "PUT", path: "/v2/keys{d}/file", form: "value=2&prevValue=3"},
	{name: "refresh a file", method: "PUT", path: "/v2/keys{d}/file", form: "ttl=100&refresh=true&prevExist=true"},
	{name: "put a bad form", method: "PUT", path: "/v2/keys{d}/file", form: "ttl=x"},
	{name: "put the root", method: "PUT", path: "/v2/keys/", form: "value=2"},
	{name: "post", method: "POST", path: "/v2/keys{d}/dir", form: "value=2"},
	{name: "post with a slash", method: "POST", path: "/v2/keys{d}/dir/", form: "value=2"},
	{name: "post to a new directory", method: "POST", path: "/v2/keys{d}/none", form: "value=2"},
	{name: "delete a file", method: "DELETE", path: "/v2/keys{d}/file"},
	{name: "compare and delete", method: "DELETE", path: "/v2/keys{d}/file?prevValue=1"},
	{name: "delete a missing file", method: "DELETE", path: "/v2/keys{d}/none"},
	{name: "delete a full directory", method: "DELETE", path: "/v2/keys{d}/dir?dir=true"},
	{name: "delete a file recursively", method: "DELETE", path: "/v2/keys{d}/file?recursive=true"},
	{name: "delete recursively", method: "DELETE", path: "/v2/keys{d}/dir?recursive=true"},
	{name: "delete recursively with a slash", method: "DELETE", path: "/v2/keys{d}/dir/?recursive=true&dir=true"},
	{name: "delete all", method: "DELETE", path: "/v2/keys/?recursive=true"},

	{name: "version", method: "GET", path: "/version"},
	{name: "health", method: "GET", path: "/health"},
	{name: "metrics", method: "GET", path: "/metrics"},
	{name: "machines", method: "GET", path: "/v2/machines"},
	{name: "own statistics", method: "GET", path: "/v2/stats/self"},
	{name: "statistics of the store", method: "GET", path: "/v2/stats/store"},
	{name: "statistics of the leader", method: "GET", path: "/v2/stats/leader"},
	{name: "members", method: "GET", path: "/v2/members"},
	{name: "leader", method: "GET", path: "/v2/members/leader"},
	{name: "add a member", method: "POST", path: "/v2/members", form: "value=2"},
	{name: "change a member", method: "PUT", path: "/v2/members/abc", form: `{"peerURLs":["http://127.0.0.1:1"]}`, json: true},
	{name: "remove a member", method: "DELETE", path: "/v2/members/abc"},
	{name: "remove no member", method: "DELETE", path: "/v2/members"},
	{name: "method of members", method: "PATCH", path: "/v2/members"},
	{name: "transfer the leadership", method: "POST", path: "/v2/members/abc/leader", form: "{}", json: true},
	{name: "snapshot", method: "GET", path: "/v2/snapshot?local=true"},
	{name: "profile", method: "GET", path: "/debug/pprof/cmdline"},

	{name: "is auth enabled", method: "GET", path: "/v2/auth/enable"},
	{name: "enable auth", method: "PUT", path: "/v2/auth/enable"},
	{name: "users", method: "GET", path: "/v2/auth/users"},
	{name: "a user", method: "GET", path: "/v2/auth/users/prefix"},
	{name: "an unknown user", method: "GET", path: "/v2/auth/users/nobody"},
	{name: "put a user without a password", method: "PUT", path: "/v2/auth/users/new", form: `{"user":"new"}`, json: true},
	{name: "delete an unknown user", method: "DELETE", path: "/v2/auth/users/nobody"},
	{name: "roles", method: "GET", path: "/v2/auth/roles"},
	{name: "a role", method: "GET", path: "/v2/auth/roles/prefix"},
	{name: "put the role root", method: "PUT", path: "/v2/auth/roles/root", form: `{"role":"root"}`, json: true},
	{name: "delete an unknown role", method: "DELETE", path: "/v2/auth/roles/nothing-like-that"},
}
