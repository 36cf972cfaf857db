package v3

import (
	"fmt"
	"os/exec"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// runForEvents runs a command for each event of a response. Without a command it does nothing. If a command fails, the program ends.
func (p *program) runForEvents(response *pb.WatchResponse, command []string) error {
	if len(command) == 0 {
		return nil
	}
	for _, event := range response.Events {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(p.environ, eventVariables(response.Header.GetRevision(), event)...)
		cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(p.stderr, "command %q error (%v)\n", command, err)
			return silent(exitError)
		}
	}
	return nil
}

// eventVariables returns the environment variables that describe an event to a command.
func eventVariables(revision int64, event *mvccpb.Event) []string {
	return []string{
		fmt.Sprintf("ETCD_WATCH_REVISION=%d", revision),
		fmt.Sprintf("ETCD_WATCH_EVENT_TYPE=%q", event.Type),
		fmt.Sprintf("ETCD_WATCH_KEY=%q", event.Kv.Key),
		fmt.Sprintf("ETCD_WATCH_VALUE=%q", event.Kv.Value),
	}
}
