package migrate

import (
	"fmt"
	"strings"

	"pando/ctl/client"
)

// shownDifferences is the number of differences that a text names. JSON has all of them.
const shownDifferences = 20

// Difference is a path at which the source and the target differ.
type Difference struct {
	Key    string `json:"key"`
	Source string `json:"source"` // what the source has; "missing" if there is nothing
	Target string `json:"target"`
}

func (d Difference) String() string { return d.Key + ": source " + d.Source + "; target " + d.Target }

// Comparison is the result of Compare.
type Comparison struct {
	Equal       bool         `json:"equal"`
	SourceIndex uint64       `json:"sourceIndex"`
	TargetIndex uint64       `json:"targetIndex"`
	Nodes       int64        `json:"nodes"`    // keys and directories that were compared
	Hidden      int          `json:"hidden"`   // of them, those that are hidden and were read by their paths
	Changing    int          `json:"changing"` // keys that changed all the time, and were left out; switch compares them
	Differences []Difference `json:"differences"`
	Users       []string     `json:"users"` // differences of users and roles
}

// Text describes the differences for the operator.
func (c *Comparison) Text() string {
	return describeDifferences(c.Differences) + describeUsers(c.Users)
}

func describeDifferences(all []Difference) string {
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d keys differ:\n", len(all))
	for _, d := range all[:min(len(all), shownDifferences)] {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	if more := len(all) - shownDifferences; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	b.WriteString("Start pando migrate again and compare again. If they still differ, import a fresh copy of the source's directory.\n")
	return b.String()
}

func describeUsers(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "Users or roles differ, because they were changed after the import:\n  " + strings.Join(lines, "\n  ") +
		"\nUndo the change at the source, or import a fresh copy, or switch with --ignore-users and make the change at the target afterwards.\n"
}

// exported returns differences for the operator.
func exported(differences []difference) []Difference {
	all := make([]Difference, len(differences))
	for i, d := range differences {
		all[i] = Difference{d.path, describeNode(d.source, d.target), describeNode(d.target, d.source)}
	}
	return all
}

// shownValue is the number of bytes of a value that a difference shows.
const shownValue = 40

// describeNode describes what distinguishes a node from another one. Each may be nil.
func describeNode(n, other *client.Node) string {
	switch {
	case n == nil:
		return "missing"
	case n.Dir:
		return fmt.Sprintf("directory (createdIndex %d, modifiedIndex %d%s)", n.CreatedIndex, n.ModifiedIndex, expiryOf(n))
	}
	text := fmt.Sprintf("createdIndex %d, modifiedIndex %d%s", n.CreatedIndex, n.ModifiedIndex, expiryOf(n))
	if other == nil || n.Value == other.Value && !other.Dir {
		return "key (" + text + ")"
	}
	value := n.Value
	if len(value) > shownValue {
		value = value[:shownValue] + "..."
	}
	return fmt.Sprintf("%q (%s)", value, text)
}

func expiryOf(n *client.Node) string {
	if n.Expiration == nil {
		return ""
	}
	return ", expires " + n.Expiration.Format("2006-01-02T15:04:05.000Z07:00")
}
