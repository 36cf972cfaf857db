package browser

import "testing"

func TestShell(t *testing.T) {
	t.Parallel()
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
