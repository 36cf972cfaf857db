package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"pando/members/servertest"
)

// fillDirectory creates files /big/NNNNNN, in large transactions of several clients at once.
func fillDirectory(t *testing.T, s *servertest.Process, count int) {
	t.Helper()
	const perRequest, clients = 128, 8
	starts := make(chan int)
	var workers sync.WaitGroup
	for range clients {
		workers.Go(func() {
			for start := range starts {
				var body strings.Builder
				for n := start; n < min(count, start+perRequest); n++ {
					fmt.Fprintf(&body, `,{"action":"set","key":"/big/%06d","value":"%d"}`, n, n)
				}
				text := `{"then":[` + body.String()[1:] + `]}`
				response, err := http.Post(s.Client+"/v2/txn", "application/json", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err = io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					t.Error(err, response.Status)
				}
				response.Body.Close()
			}
		})
	}
	for start := 0; start < count; start += perRequest {
		starts <- start
	}
	close(starts)
	workers.Wait()
}

// watchTasks makes the page note the longest time in which it did not react, in milliseconds. Read it with longestTask.
func (p *tab) watchTasks() {
	p.t.Helper()
	p.eval(`globalThis.longest = 0; new PerformanceObserver((list) => {
	  for (const entry of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, entry.duration);
	}).observe({ type: "longtask" }); 0`, nil)
}

func (p *tab) longestTask() (milliseconds float64) {
	p.t.Helper()
	p.eval(`globalThis.longest`, &milliseconds)
	return milliseconds
}

// frozen is the time in milliseconds after which the page has certainly hung. The machine of a test may be busy with other tests.
const frozen = 15_000

func TestLargeDirectory(t *testing.T) {
	const count = 200_000
	s := startServer(t)
	fillDirectory(t, s, count)
	p := openTab(t, page(s, "#/keys/big"), desktop)
	p.watchTasks()
	p.step("count", func(*testing.T) { p.see("200000") })
	p.step("scroll", func(t *testing.T) {
		p.click("treeitem", "big")
		p.locate("treeitem", "000000")
		p.await("more pages", func() (loaded bool) {
			p.press(kb.End)
			p.eval(`[...document.querySelectorAll("[role=treeitem]")].some((r) => r.title > "/big/002")`, &loaded)
			return loaded
		})
		var rows int
		if p.eval(`document.querySelectorAll("[role=treeitem]").length`, &rows); rows > 100 {
			t.Errorf("%d rows are drawn", rows)
		}
	})
	p.step("search", func(*testing.T) {
		p.fill("Go to a path", "/big/17431")
		p.click("option", "/big/174312")
		p.see("174312")
		p.locate("treeitem", "174313")
		p.locate("treeitem", "174312")
	})
	p.step("live changes", func(t *testing.T) {
		put(t, s, "/big/174312a", "new")
		p.locate("treeitem", "174312a")
	})
	p.step("back to the beginning", func(*testing.T) {
		p.visit(page(s, "#/keys/big/174312"))
		p.locate("treeitem", "174312")
		p.click("treeitem", "Show from the beginning…")
		p.locate("treeitem", "000001")
	})
	if ms := p.longestTask(); ms > frozen {
		t.Errorf("the page did not react for %v ms", ms)
	}
}

func TestLargeValue(t *testing.T) {
	type item struct {
		ID   int     `json:"id"`
		Name string  `json:"name"`
		Rate float64 `json:"rate"`
	}
	var items []item
	for i := range 18_000 {
		items = append(items, item{i, "an item with a name \"in quotes\"", float64(i) / 7})
	}
	text, err := json.Marshal(items)
	if err != nil || len(text) < 1_000_000 {
		t.Fatal(err, len(text))
	}
	s := startServer(t, "--max-request-bytes", "8000000")
	put(t, s, "/large.json", string(text)[:1]+"\n"+string(text)[1:])
	put(t, s, "/other", "small")
	p := openTab(t, page(s, "#/keys/other"), desktop)
	p.watchTasks()
	p.step("show", func(t *testing.T) {
		p.click("treeitem", "large.json")
		p.see("Automatic (JSON)", `"id":0`)
		p.awaitTrue("colours", `document.querySelectorAll(".token-key").length > 3`)
		p.click("checkbox", "One item per line")
		p.see(`"id": 0`)
		for _, form := range []string{"YAML", "Text", "Hex", "JSON"} {
			p.choose("Show as", form)
		}
		p.eval(`document.querySelector(".code").scrollTop = 1e9`, nil)
		p.see("17999")
	})
	p.step("edit", func(t *testing.T) {
		p.click("button", "Edit")
		p.click("textbox", "Value")
		p.typeText("X")
		p.press(kb.Escape)
		p.click("button", "Edit")
		p.fill("Value", "")
		p.paste(strings.Repeat("line of text\n", 80_000))
		p.see("From line 1 ")
		p.click("button", "Later")
		p.see("From line 1001 ")
		p.fill("Value", "changed\n")
		p.click("button", "Earlier")
		p.click("button", "Save")
		p.see("/large.json was saved.", "Automatic (Text)")
		if got := value(t, s, "/large.json"); !strings.Contains(got, "text\nchanged\nline") || len(got) < 1_000_000 {
			t.Errorf("%d bytes were saved", len(got))
		}
	})
	if ms := p.longestTask(); ms > frozen {
		t.Errorf("the page did not react for %v ms", ms)
	}
}

// TestRestart keeps a page open while its server is killed and started again.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	browserContext(t)
	s := servertest.Launch(t, dir)
	put(t, s, "/app/name", "before")
	address, err := url.Parse(s.Client)
	if err != nil {
		t.Fatal(err)
	}
	p := openTab(t, page(s, "#/keys/app/name"), desktop)
	p.see("before", "Live")
	s.Kill()
	p.see("The server does not answer; trying again…")
	p.click("button", "Edit")
	p.fill("Value", "written in the dark")
	p.click("button", "Save")
	p.see("the server does not answer")
	s = servertest.Launch(t, dir, "--listen-client-urls", "http://"+address.Host)
	p.click("button", "Save")
	awaitValue(t, s, "/app/name", "written in the dark")
	p.see("Live")
	put(t, s, "/app/name", "after")
	put(t, s, "/app/second", "new")
	p.see("after")
	p.locate("treeitem", "second")
}
