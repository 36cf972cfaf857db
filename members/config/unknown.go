package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// foreignEnv matches variables that have one of the prefixes and are meant for other programs: images and old scripts set
// VERSION, and Docker and Kubernetes set variables for links and services with the name etcd or pando. There is no warning
// for them.
var foreignEnv = regexp.MustCompile(`^(VERSION|VER|UNSUPPORTED_ARCH|([A-Z0-9_]+_)?SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|` +
	`PORT|([A-Z0-9_]+_)?PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR|START|END))?|ENV_.+)$`)

// foreignURL matches the value of such a variable X_PORT: an address with the protocol as scheme.
var foreignURL = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// unknownEnvironment returns warnings about variables that have one of the prefixes but are not settings. A warning never
// shows the value.
func unknownEnvironment(env map[string]string) []string {
	known := map[string]bool{}
	for i := range flagSpecs {
		known[envSuffix(flagSpecs[i].name)] = true
	}
	var warnings []string
	for key, value := range env {
		suffix, ours := cutAnyPrefix(key, envPrefixes)
		if !ours || known[suffix] || foreignEnv.MatchString(suffix) || strings.HasSuffix(suffix, "_PORT") && foreignURL.MatchString(value) {
			continue
		}
		hint := ""
		if near := Nearest(strings.ToLower(strings.ReplaceAll(suffix, "_", "-")), FlagNames()); near != "" {
			hint = fmt.Sprintf("; did you mean %s%s?", key[:len(key)-len(suffix)], envSuffix(near))
		}
		warnings = append(warnings, "unrecognized environment variable "+key+hint)
	}
	slices.Sort(warnings)
	return warnings
}

func cutAnyPrefix(text string, prefixes []string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(text, p); ok {
			return rest, true
		}
	}
	return "", false
}
