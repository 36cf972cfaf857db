package browser

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"pando/members/servertest"
)

// TestEventSource reads the events of a member as any web page can, with EventSource. The leader is killed, and then the member itself,
// which is started again. Each event must come once, in the order of the indexes.
func TestEventSource(t *testing.T) {
	t.Parallel()
	browserContext(t)
	all := servertest.NewMembers(t, "east", "north", "west")
	running := servertest.LaunchCluster(t, all)
	leader, watched := leaderFirst(t, running)
	client := servertest.NewKeyClient(t, running[3-leader-watched].Client)
	restart := func(i int) {
		running[i] = all[i].StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
		running[i].AwaitServing()
	}
	var want []string
	create := func() {
		for range 20 {
			want = append(want, fmt.Sprintf("/app/%03d", len(want)))
			createOnce(t, client, want[len(want)-1])
		}
	}

	p := openTab(t, page(running[watched], "#/keys"), desktop)
	p.eval(`window.got = [];
	  const source = new EventSource("/v2/keys/app?wait=true&recursive=true");
	  source.onmessage = (e) => got.push({ id: Number(e.lastEventId), key: JSON.parse(e.data).node.key });
	  source.addEventListener("cleared", (e) => got.push({ id: 0, key: "cleared: " + e.data }));
	  new Promise((opened) => { source.onopen = () => opened(0); })`, nil)
	create()
	running[leader].Kill()
	create()
	restart(leader)
	running[watched].Kill()
	create()
	restart(watched)
	create()

	p.awaitTrue("all events are there", fmt.Sprintf(`got.length >= %d`, len(want)))
	var got []struct {
		ID  uint64 `json:"id"`
		Key string `json:"key"`
	}
	p.eval(`got`, &got)
	var keys []string
	last := uint64(0)
	for _, e := range got {
		if e.ID <= last {
			t.Errorf("the event %d of %s came after the event %d", e.ID, e.Key, last)
		}
		last = e.ID
		keys = append(keys, e.Key)
	}
	if !slices.Equal(keys, want) {
		t.Errorf("the events are of\n%v\nwant\n%v", keys, want)
	}
}

// createOnce creates a key. It sends the request again while there is no leader, or while the outcome is unknown.
func createOnce(t *testing.T, client *servertest.KeyClient, key string) {
	t.Helper()
	servertest.Await(t, key+" to be created", func() bool {
		answer, err := client.Do(http.MethodPut, key, servertest.Form("value", "1", "prevExist", "false"))
		return err == nil && (answer.Status == http.StatusCreated || answer.Status == http.StatusPreconditionFailed)
	})
}
