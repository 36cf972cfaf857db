package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"pando/members/servertest"
)

// chromium is the browser of all tests. It is started by the first test that needs it.
var chromium struct {
	once  sync.Once
	ctx   context.Context // of the browser
	err   error
	close func()
}

// browserContext returns the context of the browser. Without chromium the test is skipped, or fails if CI=true is set.
func browserContext(t *testing.T) context.Context {
	t.Helper()
	servertest.SkipShort(t, "starts a browser")
	program := servertest.RequireProgram(t, "chromium", "chromium")
	chromium.once.Do(func() { startChromium(program) })
	if chromium.err != nil {
		t.Fatalf("starting %s: %v", program, chromium.err)
	}
	return chromium.ctx
}

func startChromium(program string) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.DisableGPU, chromedp.WSURLReadTimeout(servertest.Timeout),
		chromedp.Flag("lang", "en-US"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // chromium refuses its sandbox to root
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
	chromium.close = func() {
		closeBrowser()
		closeAllocator()
	}
}

// closeChromium ends the browser, if it was started.
func closeChromium() {
	if chromium.close != nil {
		chromium.close()
	}
}

// tab is a tab of the browser, and the person before it. Its methods fail the test if they can't do what their names say in time.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // errors of the console, exceptions, violations of the Content-Security-Policy
}

// size is the size of a window in CSS pixels. scale is the zoom: 2 means 200%.
type size struct {
	width, height int64
	scale         float64
}

var (
	desktop = size{1280, 800, 1}
	phone   = size{360, 740, 1}
	// zoomed is a window of 1280 by 800 pixels at a zoom of 200%.
	zoomed = size{640, 400, 2}
)

// openTab opens a URL in a tab that shares nothing with other tabs. The tab is closed at the end of the test, and the test fails if the
// console has errors.
func openTab(t *testing.T, url string, window size) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browserContext(t), chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		p.checkConsole()
		cancel()
	})
	messages := chromedp.Console(ctx)
	go p.readConsole(messages)
	viewport := []chromedp.EmulateViewportOption{chromedp.EmulateScale(window.scale)}
	if window == phone {
		viewport = append(viewport, chromedp.EmulateMobile)
	}
	p.run(chromedp.EmulateViewport(window.width, window.height, viewport...))
	p.visit(url)
	return p
}

// step runs a subtest with the tab. The failures of the tab are those of the subtest. After one that failed, the next steps are skipped.
func (p *tab) step(name string, f func(t *testing.T)) {
	outer := p.t
	defer func() { p.t = outer }()
	outer.Run(name, func(t *testing.T) {
		p.t = t
		if outer.Failed() {
			t.Skip("an earlier step has failed")
		}
		f(t)
	})
}

// visit loads a URL.
func (p *tab) visit(url string) {
	p.t.Helper()
	p.run(chromedp.Navigate(url))
}

// run runs actions in the tab.
func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, servertest.Timeout)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("the browser: %v", err)
	}
}

// eval evaluates an expression in the page, awaits its promise, and decodes the result into a value. into may be nil.
func (p *tab) eval(expression string, into any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, servertest.Timeout)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise))
	if err == nil && into != nil {
		err = json.Unmarshal(result, into)
	}
	if err != nil {
		p.t.Fatalf("%.200s: %v", expression, err)
	}
}

// readConsole collects the messages of the console that are problems, until the tab is closed.
func (p *tab) readConsole(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return
		}
		// The browser itself logs each request without an answer or with the status of an error. Those of the API are part of its use.
		expected := m.Source == string(log.EntrySourceNetwork) && !strings.Contains(m.URL, "/ui/")
		switch m.Type {
		case chromedp.ConsoleLog, chromedp.ConsoleDebug, chromedp.ConsoleInfo:
			continue
		}
		if !expected {
			p.mu.Lock()
			p.problems = append(p.problems, fmt.Sprintf("%s %s %s", m.Source, m, m.URL))
			p.mu.Unlock()
		}
	}
}

// checkConsole fails the test if the console has errors.
func (p *tab) checkConsole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		p.t.Errorf("the console of the page: %s", problem)
	}
	if p.t.Failed() {
		p.t.Logf("the page shows:\n%s", p.visibleText())
	}
}

// visibleText returns what the page shows, for messages.
func (p *tab) visibleText() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text[:min(len(text), 3000)]
}
