package config

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFlagHelp checks the help of every setting.
func TestFlagHelp(t *testing.T) {
	got := FlagHelp()
	t.Run("fits in the width", func(t *testing.T) {
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	})
	t.Run("mentions every flag and group", func(t *testing.T) {
		for _, name := range FlagNames() {
			if !strings.Contains(got, "--"+name) {
				t.Errorf("--%s is missing", name)
			}
		}
		for _, group := range flagGroups {
			if !strings.Contains(got, "\n"+group+":\n") {
				t.Errorf("group %s is missing", group)
			}
		}
	})
}
