package stats

import "strings"

// Version is Pando's own version. It must not contain "0.4": old clients take a server with that text for one that speaks the v1
// API.
const Version = "0.1.0-dev"

// APILevel is the version of etcd whose v2 API Pando speaks. Clients read it from /version, and choose the features that they use by it.
const APILevel = "3.4.23"

// ClusterAPILevel returns the API level that all members of a cluster have in common: major and minor, and 0 as the patch level.
func ClusterAPILevel() string {
	major, rest, _ := strings.Cut(APILevel, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor + ".0"
}
