package browser

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"pando/members/servertest"
)

// mostScreenshotBytes bounds the size of a screenshot in the docs.
const mostScreenshotBytes = 150_000

// TestScreenshots shows what the pictures in docs/images show. With -update it takes them anew.
func TestScreenshots(t *testing.T) {
	if !*servertest.Update {
		for _, name := range []string{"ui-light", "ui-dark", "ui-phone"} {
			body, err := os.ReadFile(filepath.Join("docs", "images", name+".png"))
			if err != nil || len(body) > mostScreenshotBytes || !bytes.HasPrefix(body, []byte("\x89PNG")) {
				t.Errorf("%s: %v, %d bytes", name, err, len(body))
			}
		}
		return
	}
	s := startServer(t)
	put(t, s, "/app/config/service.json", `{
  "name": "checkout",
  "port": 8080,
  "retries": 3,
  "canary": true,
  "upstream": ["10.0.0.11:9000", "10.0.0.12:9000"],
  "timeout": null
}
`)
	put(t, s, "/app/config/limits.yaml", "# requests per second\ndefault: 100\nburst: 250\n")
	put(t, s, "/app/config/motd", "hello")
	put(t, s, "/app/release", "v42")
	put(t, s, "/jobs/queue/00000000000000000017", "run")
	put(t, s, "/services/checkout/10.0.0.11", "9000")
	put(t, s, "/services/checkout/10.0.0.12", "9000")
	p := openTab(t, page(s, "#/keys/app/config/service.json"), size{1280, 720, 1})
	p.see("checkout", "Live")
	p.click("treeitem", "services")
	p.click("treeitem", "checkout")
	p.click("treeitem", "service.json")
	p.see(`"port": 8080`)
	p.seeGone("Connecting…")
	p.choose("Colours", "Light")
	p.screenshot("ui-light")
	p.choose("Colours", "Dark")
	p.screenshot("ui-dark")
	p.choose("Colours", "Light")
	p.run(chromedp.EmulateViewport(phone.width, phone.height, chromedp.EmulateMobile))
	p.see(`"port": 8080`)
	p.screenshot("ui-phone")
}

// screenshot writes what the window shows to a file of the docs.
func (p *tab) screenshot(name string) {
	p.t.Helper()
	p.eval(`document.activeElement.blur()`, nil)
	image, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if len(image) > mostScreenshotBytes {
		p.t.Errorf("%s has %d bytes", name, len(image))
	}
	if err := os.WriteFile(filepath.Join("docs", "images", name+".png"), image, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
