package bench

import (
	"errors"
	"strings"
	"testing"
)

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"put", "--conns", "0"}, {"put", "--total", "0"}, {"put", "--rate", "-1"}, {"put", "--val-size", "0"},
		{"put", "--key-size", "2"}, {"put", "--prefix", "/"}, {"put", "--clients", "0"}, {"put", "stray"},
		{"put", "--timeline", "x", "--compare", "127.0.0.1:1"}, {"mixed", "--read-ratio", "2"}, {"put", "--rounds", "3"},
		{"watch", "--mode", "push"}, {"watch", "--watched-keys", "200"}, {"watch", "--clients", "0"}, {"lock", "--locks", "-1"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			out, err := runBench(t.Context(), args...)
			if !errors.Is(err, errUsage) || out != "" {
				t.Errorf("got %v, printed %q", err, out)
			}
		})
	}
}

func TestHelpTeaches(t *testing.T) {
	for _, command := range Command().Subcommands {
		t.Run(command.Name, func(t *testing.T) {
			if !strings.Contains(command.Description, "  bench "+command.Name+" ") {
				t.Error("no example in the help")
			}
		})
	}
}
