package stats

import "strings"

// Version is the version of Pando. It must not contain "0.4": old clients that find this text believe that the server speaks the v1
// API.
const Version = "0.1.0-dev"

// APILevel is the version of etcd whose v2 API Pando speaks. Clients read it from /version, and choose the features that they use by it.
const APILevel = "3.4.23"

// ClusterAPILevel returns APILevel with 0 as the patch level, for "etcdcluster" in /version. It asks no other member.
func ClusterAPILevel() string {
	major, rest, _ := strings.Cut(APILevel, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor + ".0"
}
