package reports

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"simrun/checker"
)

// drive uses the page as a person would and leaves what it saw in the title.
const drive = `<script>
(async () => {
  const saw = [], rest = (ms) => new Promise((done) => setTimeout(done, ms));
  const look = () => saw.push(document.getElementById('operations-title').textContent);
  const mouse = (e, type, x, y) => e.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, view: window, clientX: x, clientY: y }));
  const all = () => { document.getElementById('zoom-all').click(); return rest(800); };
  look();
  document.querySelector('[data-ops]').click();
  await rest(1000);
  look();
  await all();
  const strip = document.querySelector('#overview .overlay'), box = strip.getBoundingClientRect();
  mouse(strip, 'mousedown', box.left + 300, box.top + 20);
  mouse(window, 'mousemove', box.left + 400, box.top + 20);
  mouse(window, 'mouseup', box.left + 400, box.top + 20);
  await rest(600);
  look();
  await all();
  document.getElementById('show-unknown').click();
  look();
  document.getElementById('filter').value = 'write conflict';
  document.getElementById('filter').dispatchEvent(new Event('input'));
  look();
  const lanes = document.getElementById('lanes'), at = lanes.getBoundingClientRect();
  for (let y = 2; y < at.height; y += 5) mouse(lanes, 'mousemove', at.left + at.width / 2, at.top + y);
  document.querySelector('#operations tbody tr').click();
  document.getElementById('filter').value = '';
  document.getElementById('filter').dispatchEvent(new Event('input'));
  document.querySelector('[data-at]').click();
  await rest(1000);
  look();
  const height = () => lanes.getBoundingClientRect().height, folded = height();
  document.getElementById('fold').click();
  if (height() <= folded) window.failed.push('nothing is unfolded');
  const label = lanes.getBoundingClientRect();
  for (let y = 2; y < height() && height() > folded; y += 5) mouse(lanes, 'click', label.left + 20, label.top + y);
  if (height() > folded) window.failed.push('a label does not fold its rows');
  location.hash = '#op=3';
  await rest(1000);
  if (document.querySelector('#operations tr.selected td').textContent !== '3') window.failed.push('#op=3 is not selected');
  document.title = JSON.stringify({ saw, failed: window.failed });
})();
</script>`

// prepare collects errors. A browser whose time is virtual draws no frames, so
// that animations need another clock.
const prepare = `<script>
window.failed = [];
window.onerror = (message) => window.failed.push(message);
window.requestAnimationFrame = (f) => setTimeout(() => f(performance.now()), 16);
</script>`

// The page's script runs in a browser without an error and shows what it is
// asked for. The method: a browser without a window, where there is one.
func TestPageInBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("needs chromium and some seconds")
	}
	run := bankRun(110)
	run.Result.Checkers[1].Findings[0].Place = checker.Place{At: 5_000 * ms, Nodes: []string{"store2"}}
	page := strings.Replace(pageOf(t, run), "<head>", "<head>"+prepare, 1) + drive
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	if err = os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	dom, err := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--window-size=1400,1300", "--virtual-time-budget=20000", "--dump-dom", "file://"+file).Output()
	if err != nil {
		t.Skipf("the browser does not run here: %v", err)
	}
	title := regexp.MustCompile(`<title>(.*)</title>`).FindSubmatch(dom)
	if title == nil {
		t.Fatal("the page has no title")
	}
	var got struct{ Saw, Failed []string }
	if err := json.Unmarshal([]byte(html.UnescapeString(string(title[1]))), &got); err != nil {
		t.Fatalf("the page was not driven to the end: %s", title[1])
	}
	if len(got.Failed) > 0 {
		t.Errorf("errors in the page: %q", got.Failed)
	}
	c := run.Result.Stats.Operations[0]
	count := func(heading string) (n int) {
		if _, err := fmt.Sscanf(heading, "Operations: %d in view", &n); err != nil {
			t.Errorf("heading %q", heading)
		}
		return n
	}
	if len(got.Saw) != 6 {
		t.Fatalf("saw %q", got.Saw)
	}
	if n := count(got.Saw[0]); n != c.Total() {
		t.Errorf("at first %d operations are in view, want %d", n, c.Total())
	}
	for i, what := range []string{"around a finding", "in a range chosen from the strip"} {
		if n := count(got.Saw[i+1]); n < 2 || n > c.Total()/2 {
			t.Errorf("%s %d operations are in view", what, n)
		}
	}
	if n := count(got.Saw[3]); n != c.OK+c.Failed {
		t.Errorf("without the unknown ones %d operations are in view, want %d", n, c.OK+c.Failed)
	}
	if n := count(got.Saw[4]); n != c.Failed {
		t.Errorf("%d operations have write conflicts, want %d", n, c.Failed)
	}
	if n := count(got.Saw[5]); n < 2 || n > c.Total()/4 {
		t.Errorf("around the instant of a finding %d operations are in view", n)
	}
}
