package v3

// explained are the lines of scripts whose results differ if Pando is the server. version is that of etcd.
var explained = []struct{ version, line, reason string }{
	{"3.7", "37: endpoint status", reasonStatus},
	{"3.7", "37: endpoint status -w json", reasonStatus},
	{"3.7", "37: endpoint status -w fields", reasonStatus},
	{"3.7", "37: endpoint status --cluster", reasonStatus},
	{"3.7", "37: endpoint --cluster status", reasonStatus},
	{"3.7", "37: downgrade validate 3.6", reasonDowngrade},
	{"3.7", "37: downgrade validate 3.6.0 -w json", reasonDowngrade},
	{"3.7", "37: downgrade enable 3.6", reasonDowngrade},
	{"3.7", "37: downgrade enable 3.6 -w json", reasonDowngrade},
	{"3.7", "37: downgrade cancel", reasonDowngrade},
	{"3.7", "37: downgrade cancel -w json", reasonDowngrade},
	{"3.4", "alarm list -w json", "etcd 3.7 sends a header, and 3.4 does not"},
	{"3.4", "lease grant 10", "etcd 3.4 grants leases to clients without a user; 3.7 refuses them"},
	{"3.4", "--user=u1:new compaction 2", "etcd 3.4 lets every user compact; 3.7 requires the role root"},
	{"3.7", "37: --user=root:root auth status", "auth enable, and the key of the tokens, are changes of users, and increase the AuthRevision"},
}

// Reasons that explain several lines.
const (
	reasonStatus    = "Status says 3.6.0, and there is no quota by default"
	reasonDowngrade = "Pando has no earlier version to go back to"
)

// explanation returns why a line differs; empty if it must not differ.
func explanation(version, line string) string {
	for _, e := range explained {
		if e.version == version && e.line == line {
			return e.reason
		}
	}
	return ""
}
