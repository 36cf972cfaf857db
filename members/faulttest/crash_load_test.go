package faulttest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
)

// issued is a write that a client sent. No two have the same action, key and value.
type issued struct {
	action string
	key    string // for an in-order key the directory, with a slash at the end
	value  string
}

// is reports whether the event is that of the write.
func (w issued) is(e *servertest.KeyAnswer) bool {
	inOrder := strings.HasSuffix(w.key, "/") && strings.HasPrefix(e.Node.Key, w.key)
	return e.Action == w.action && e.Node.Value == w.value && (e.Node.Key == w.key || inOrder)
}

// load is a set of writers, and the outcomes of their writes.
type load struct {
	t  *testing.T
	mu sync.Mutex
	// acknowledged has the acknowledged writes by the index in the answer.
	acknowledged map[uint64]issued
	// unknown has the writes without an answer: each may have been carried out or not.
	unknown []issued
	// counter makes values unique.
	counter int
	// queue has the in-order keys that will be deleted.
	queue []string
}

func (l *load) unique() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counter++
	return servertest.Itoa(l.counter)
}

// send sends one write and records its outcome. It returns nil when the outcome is unknown.
func (l *load) send(c *servertest.KeyClient, method, key string, f url.Values, w issued) *servertest.KeyAnswer {
	answer, err := c.Do(method, key, f)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || answer.Status == http.StatusInternalServerError {
		l.unknown = append(l.unknown, w)
		return nil
	}
	if answer.Status >= http.StatusBadRequest {
		l.t.Errorf("%s %s %v: status %d, error %d %s", method, key, f, answer.Status, answer.ErrorCode, answer.Cause)
		return nil
	}
	index := answer.Node.ModifiedIndex
	if !w.is(answer) || answer.EtcdIndex != index {
		l.t.Errorf("%s %s %v was answered %+v at index %d", method, key, f, answer.Node, answer.EtcdIndex)
	}
	if other, taken := l.acknowledged[index]; taken {
		l.t.Errorf("index %d was acknowledged for %v and for %v", index, other, w)
	}
	l.acknowledged[index] = w
	return answer
}

// writers starts writers on the server at base. They end when the server ends.
func (l *load) writers(base string) *sync.WaitGroup {
	var group sync.WaitGroup
	for number, write := range []func(c *servertest.KeyClient, number int) bool{
		l.put, l.put, l.swap, l.line, l.expiring, l.directory, l.lock,
	} {
		c := servertest.NewKeyClient(l.t, base)
		group.Go(func() {
			for write(c, number) {
			}
		})
	}
	return &group
}

// put overwrites one of a few files.
func (l *load) put(c *servertest.KeyClient, number int) bool {
	value := l.unique()
	key := fmt.Sprintf("/put/%d/%c", number, 'a'+value[len(value)-1]%7)
	return l.send(c, "PUT", key, servertest.Form("value", value), issued{"set", key, value}) != nil
}

// swap replaces a value by the next one. Its condition is the value or the index, in alternation.
func (l *load) swap(c *servertest.KeyClient, _ int) bool {
	const key = "/chain"
	now, err := c.Do("GET", key, nil)
	if err != nil {
		return false
	}
	value := l.unique()
	if now.ErrorCode != 0 {
		return l.send(c, "PUT", key, servertest.Form("value", value, "prevExist", "false"), issued{"create", key, value}) != nil
	}
	f := servertest.Form("value", value, "prevValue", now.Node.Value)
	if now.Node.ModifiedIndex%2 == 0 {
		f = servertest.Form("value", value, "prevIndex", servertest.Itoa(now.Node.ModifiedIndex))
	}
	answer := l.send(c, "PUT", key, f, issued{"compareAndSwap", key, value})
	if answer != nil && (answer.PrevNode == nil || answer.PrevNode.Value != now.Node.Value) {
		l.t.Errorf("the chain goes from %+v to %+v, not from %+v", answer.PrevNode, answer.Node, now.Node)
	}
	return answer != nil
}

// line adds in-order keys and deletes old ones.
func (l *load) line(c *servertest.KeyClient, _ int) bool {
	for range 3 {
		value := l.unique()
		answer := l.send(c, "POST", "/line", servertest.Form("value", value), issued{"create", "/line/", value})
		if answer == nil {
			return false
		}
		if want := fmt.Sprintf("/line/%020d", answer.Node.ModifiedIndex); answer.Node.Key != want {
			l.t.Errorf("in-order key %s, want %s", answer.Node.Key, want)
		}
		l.queue = append(l.queue, answer.Node.Key)
	}
	for range 2 {
		key := l.queue[0]
		l.queue = l.queue[1:]
		if l.send(c, "DELETE", key, nil, issued{"delete", key, ""}) == nil {
			return false
		}
	}
	return true
}

// expiring writes a file that expires after a second, and one that stays.
func (l *load) expiring(c *servertest.KeyClient, _ int) bool {
	soon, late := l.unique(), l.unique()
	short, long := "/soon/"+soon, "/late/"+late[len(late)-1:]
	return l.send(c, "PUT", short, servertest.Form("value", soon, "ttl", "1"), issued{"set", short, soon}) != nil &&
		l.send(c, "PUT", long, servertest.Form("value", late, "ttl", "100000"), issued{"set", long, late}) != nil
}

// directory fills a directory and removes it with all that is in it.
func (l *load) directory(c *servertest.KeyClient, _ int) bool {
	value := l.unique()
	dir := "/dir/" + value
	for _, name := range []string{"/a", "/b/c"} {
		if l.send(c, "PUT", dir+name, servertest.Form("value", value), issued{"set", dir + name, value}) == nil {
			return false
		}
	}
	return l.send(c, "DELETE", dir+"?recursive=true", nil, issued{"delete", dir, ""}) != nil
}

// lock takes a lock and frees it.
func (l *load) lock(c *servertest.KeyClient, _ int) bool {
	value := l.unique()
	key := "/lock/" + value
	return l.send(c, "PUT", key, servertest.Form("value", value, "prevExist", "false", "ttl", "1000"), issued{"create", key, value}) != nil &&
		l.send(c, "DELETE", key+"?prevValue="+value, nil, issued{"compareAndDelete", key, ""}) != nil
}
