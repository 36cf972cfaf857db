package browser

import (
	"net/http"
	"testing"
)

func TestShell(t *testing.T) {
	s := startServer(t)
	p := openTab(t, page(s, ""), desktop)
	p.step("navigation", func(t *testing.T) {
		p.click("link", "Cluster")
		p.awaitTrue("the fragment is that of the view", `location.hash === "#/cluster/"`)
		p.click("link", "Users")
		p.awaitTrue("the title is that of the view", `document.title === "Users · Pando"`)
		p.click("link", "Keys")
	})
	p.step("colours", func(t *testing.T) {
		p.choose("Colours", "Dark")
		p.awaitTrue("dark", `getComputedStyle(document.body).backgroundColor === "rgb(18, 22, 20)"`)
		p.visit(page(s, ""))
		p.awaitTrue("dark after a reload", `getComputedStyle(document.body).backgroundColor === "rgb(18, 22, 20)"`)
		p.choose("Colours", "Light")
		p.awaitTrue("light", `getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)"`)
	})
}

func TestModes(t *testing.T) {
	t.Run("readonly", func(t *testing.T) {
		p := openTab(t, page(startServer(t, "--ui", "readonly"), ""), desktop)
		p.see("read-only page")
	})
	t.Run("off", func(t *testing.T) {
		s := startServer(t, "--ui", "off")
		for _, path := range []string{"/ui", "/ui/", "/ui/app.js"} {
			response, err := http.Get(s.Client + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", path, response.Status)
			}
		}
	})
}
