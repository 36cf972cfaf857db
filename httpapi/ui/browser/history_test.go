package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestHistory looks at the events of a key and of a directory, and restores values.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/name", "one")
	put(t, s, "/app/name", "<b>two</b>")
	put(t, s, "/app/text", "first\nsecond\nthird\n"+strings.Repeat("same\n", 50))
	put(t, s, "/app/text", "first\n2nd\nthird\n"+strings.Repeat("same\n", 50))
	put(t, s, "/app/gone", "was here")
	put(t, s, "/app/binary", "\xff")
	mustAs(t, s, "", http.MethodDelete, "/v2/keys/app/gone", "")
	p := openTab(t, page(s, "#/keys/app/name"), desktop)
	p.step("a key", func(t *testing.T) {
		p.click("button", "History")
		p.see("2 events.", "set index 3", "one <b>two</b>", "set index 2")
		p.checkAccessible("the history of a key")
	})
	p.step("restore", func(t *testing.T) {
		p.click("button", "Restore /app/name as of index 2")
		p.see("From the present value to the former one.")
		p.checkAccessible("the restoration")
		put(t, s, "/app/name", "faster")
		p.click("button", "Restore")
		p.see("Somebody has changed the key meanwhile.", "faster")
		p.click("button", "Restore")
		p.see("/app/name has the former value again.", "4 events.", "changed by compare-and-swap")
		awaitValue(t, s, "/app/name", "one")
		p.dismissMessages()
		p.click("button", "Restore /app/name as of index 2")
		p.see("This is the present value.")
		p.press("\x1b")
	})
	p.step("a directory", func(t *testing.T) {
		p.visit(page(s, "#/keys/app"))
		p.click("button", "History")
		p.see("9 events.", "deleted index 8", "/app/gone", "The value is no text, so it can't be restored from here.")
		p.click("button", "Differences at index 5")
		p.see("2nd", "− before", "+ after")
		p.checkAccessible("the history of a directory")
	})
	p.step("a key that was deleted", func(t *testing.T) {
		p.click("button", "Restore /app/gone as of index 7")
		p.see("The key does not exist now. It is created with this value.")
		p.click("button", "Restore")
		p.see("/app/gone has the former value again.")
		awaitValue(t, s, "/app/gone", "was here")
	})
	p.step("many events", func(t *testing.T) {
		for i := range 40 {
			put(t, s, "/busy", fmt.Sprint("value ", i))
		}
		p.visit(page(s, "#/keys/busy"))
		p.click("button", "History")
		p.see("40 events.", "value 39")
		if p.shows("value 10") {
			t.Error("all events are shown at once")
		}
		p.click("button", "Show older events")
		p.see("value 0")
	})
}

// TestReadOnlyViews looks for controls that change something.
func TestReadOnlyViews(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--ui", "readonly")
	put(t, s, "/app/name", "one")
	put(t, s, "/app/name", "two")
	p := openTab(t, page(s, "#/keys/app/name"), zoomed)
	p.click("button", "History")
	p.see("2 events.", "Export")
	p.absent("Restore", "Rename or copy", "Import")
	p.checkAccessible("the history at 200%")
	p.visit(page(s, "#/users"))
	p.see("What a user may do")
	p.absent("New user", "New role", "Enable auth", "Change")
	p.checkAccessible("users at 200%")
	p.visit(page(s, "#/cluster"))
	p.see("Members")
	for _, view := range []string{"keys/app/name", "users", "cluster"} {
		p.visit(page(s, "#/"+view))
		p.awaitTrue("nothing of "+view+" is wider than the window", `document.documentElement.scrollWidth <= innerWidth`)
	}
}

// dismissMessages removes the messages that are shown now. They may cover what is to be clicked, and go by themselves after some seconds.
func (p *tab) dismissMessages() {
	p.t.Helper()
	p.eval(`document.querySelectorAll(".message button").forEach((b) => b.click()); 0`, nil)
}

// absent fails the test if the page shows a text now.
func (p *tab) absent(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if p.shows(text) {
			p.t.Errorf("the page shows %q", text)
		}
	}
}
