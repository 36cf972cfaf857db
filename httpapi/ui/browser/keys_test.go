package browser

import (
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestTree(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/config/port", "8080")
	put(t, s, "/app/name", "pando")
	put(t, s, "/_secret/key", "hidden")
	p := openTab(t, page(s, ""), desktop)
	p.step("open by clicking", func(t *testing.T) {
		p.click("treeitem", "app")
		p.click("treeitem", "name")
		p.see("pando", "5 bytes", "Modified index")
	})
	p.step("hidden keys", func(t *testing.T) {
		if p.shows("_secret") {
			t.Error("hidden keys are shown")
		}
		p.click("checkbox", "Show hidden keys")
		p.see("_secret")
		p.click("checkbox", "Show hidden keys")
		p.seeGone("_secret")
		p.locate("treeitem", "name") // the tree is read anew
	})
	p.step("by keyboard", func(t *testing.T) {
		p.click("treeitem", "/")
		p.press(kb.ArrowDown, kb.ArrowDown, kb.ArrowRight)
		p.locate("treeitem", "port")
		p.press(kb.ArrowDown, kb.Enter)
		p.see("8080")
	})
	p.step("type-ahead search", func(t *testing.T) {
		p.fill("Go to a path", "/app/con")
		p.see("/app/config/")
		p.press(kb.ArrowDown, kb.Enter)
		p.awaitTrue("the chosen node", `location.hash === "#/keys/app/config"`)
	})
	p.step("live changes", func(t *testing.T) {
		p.see("Live")
		put(t, s, "/app/config/live/one", "1")
		p.see("live")
		p.click("treeitem", "port")
		put(t, s, "/app/config/port", "9090")
		p.see("9090")
	})
	p.step("a key that changes all the time", func(t *testing.T) {
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					put(t, s, "/app/config/port", fmt.Sprint("tick ", i))
				}
			}
		})
		defer writer.Wait()
		defer close(stop)
		p.awaitTrue("the value is shown while it changes", `Number(/tick (\d+)/.exec(document.body.innerText)?.[1]) > 20`)
	})
	p.checkAccessible("the keys")
}
