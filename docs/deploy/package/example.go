package main

import (
	"regexp"
	"slices"
	"strings"
)

const exampleIntro = `# An example of the configuration file of Pando. It has no effect until ETCD_CONFIG_FILE=/etc/pando/pando.yml is in
# /etc/default/pando. Most services need no such file: /etc/default/pando has the same settings, as variables.
#
# Each line is the name of a flag without the dashes, and a value. The lines below show the defaults. The environment takes
# precedence over this file, so remove from /etc/default/pando what you set here. A file written for etcd works, too, with its
# sections client-transport-security and peer-transport-security.

data-dir: /var/lib/pando
`

// notInExample are flags that have no place in a file: a configuration file can't name another one, and the others are for one start.
var notInExample = []string{"config-file", "version", "force-new-cluster", "skip-log-entry", "data-dir"}

// flagDefault matches the part of a flag's help that names the default.
var flagDefault = regexp.MustCompile(` *(?:Example: \S+ )?\[default: (.*?)\] \[PANDO_\S+ ETCD_\S+\]$`)

// configurationExample returns the example of the configuration file. It lists every setting as a comment, with its help.
func configurationExample() string {
	var b strings.Builder
	b.WriteString(exampleIntro)
	for _, group := range flagGroups() {
		if group.title == "Compatibility" {
			continue // old names of other flags
		}
		write(&b, "\n### %s\n", group.title)
		for _, f := range group.flags {
			name, placeholder, _ := strings.Cut(strings.TrimPrefix(f.head, "--"), " ")
			if slices.Contains(notInExample, name) {
				continue
			}
			b.WriteByte('\n')
			writeComment(&b, flagDefault.ReplaceAllString(f.text, ""))
			value := placeholder
			if value == "" {
				value = "true" // a switch
			}
			if m := flagDefault.FindStringSubmatch(f.text); m != nil && m[1] != "none" && !strings.Contains(m[1], "${") {
				value = m[1]
			}
			if strings.ContainsAny(value[:1], "*&!%@{[>|`") {
				value = `"` + value + `"` // YAML gives these characters a meaning
			}
			write(&b, "#%s: %s\n", name, value)
		}
	}
	return b.String()
}

// writeComment writes text as comments of at most 120 columns.
func writeComment(b *strings.Builder, text string) {
	const columns = 120
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > columns {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
