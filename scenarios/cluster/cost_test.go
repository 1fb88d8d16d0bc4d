package cluster

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The curve of docs/benchmarks.md is measured and drawn with
//
//	GOGC=400 go test ./scenarios/cluster -run TestCostCurve -args -curve ../../docs/cost.svg
var curveFile = flag.String("curve", "", "measure the cost of regions and draw it to this file")

// line is one line of the curve: what a virtual second costs, by the number of
// regions.
type line struct {
	name, color string
	points      []point
	load        func(regions int) load
}

type point struct {
	regions int
	ms      float64 // CPU
}

func costLines() []line {
	return []line{
		{
			name: "written to, ten times a second each, beside idle ones, 1,000 in all", color: "#b03a2e", points: at(0, 25, 50, 100, 150, 200),
			load: func(n int) load { return load{regions: 1000, loaded: n, writes: 10 * n, hibernate: time.Second} },
		},
		{
			name: "idle and awake", color: "#7f8c8d", points: at(10, 250, 500, 750, 1000),
			load: func(n int) load { return load{regions: n} },
		},
		{
			name: "idle and hibernating", color: "#1a5276", points: at(10, 250, 500, 750, 1000),
			load: func(n int) load { return load{regions: n, hibernate: time.Second} },
		},
	}
}

func at(regions ...int) []point {
	points := make([]point, len(regions))
	for i, n := range regions {
		points[i].regions = n
	}
	return points
}

// What idle regions cost does not depend on their number once they hibernate: it
// is counted in events here, which no busy machine changes. What the curve shows
// is drawn only on request, since it measures time.
func TestIdleRegionsCostNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a thousand regions")
	}
	events := func(l load) uint64 {
		c, _ := l.start(t)
		defer c.World.Close()
		before := c.World.Fired()
		run(t, c, 10*time.Second)
		return c.World.Fired() - before
	}
	few := events(load{regions: 20, hibernate: time.Second})
	many := events(load{regions: 1000, hibernate: time.Second})
	if many > few*5/4 {
		t.Errorf("%d events in ten seconds with 20 regions, %d with 1,000", few, many)
	}
}

func TestCostCurve(t *testing.T) {
	lines := costLines()
	if *curveFile == "" {
		// The drawing alone: it must be a document.
		for i := range lines {
			for j := range lines[i].points {
				lines[i].points[j].ms = float64(10 * j)
			}
		}
		d := xml.NewDecoder(strings.NewReader(draw(lines)))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, l := range lines {
		for i := range l.points {
			p := &l.points[i]
			p.ms = measureOnce(t, l.load(p.regions))
			t.Logf("%s: %d regions: %.1f CPU-ms a virtual second", l.name, p.regions, p.ms)
		}
	}
	if err := os.WriteFile(*curveFile, []byte(draw(lines)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// measureOnce takes the best of a few measurements, which a busy machine
// disturbs least.
func measureOnce(t *testing.T, l load) float64 {
	c, _ := l.start(t)
	defer c.World.Close()
	best := 0.0
	for i := range 5 {
		before := cpuTime(t)
		run(t, c, 2*time.Second)
		if ms := (cpuTime(t) - before).Seconds() * 1000 / 2; i == 0 || ms < best {
			best = ms
		}
	}
	return best
}

// The drawing's size, and the room around the curve.
const (
	width, height        = 760, 420
	left, top, low, side = 60, 20, 110, 20
)

// draw draws the lines over linear axes.
func draw(lines []line) string {
	xMax, yMax := 1.0, 1.0
	for _, l := range lines {
		for _, p := range l.points {
			xMax, yMax = max(xMax, float64(p.regions)), max(yMax, p.ms)
		}
	}
	yMax = math.Ceil(yMax/50) * 50 // so that the axis has round numbers
	x := func(v float64) float64 { return left + v/xMax*(width-left-side) }
	y := func(v float64) float64 { return height - low - v/yMax*(height-low-top) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for i := range 6 {
		v := yMax * float64(i) / 5
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			left, y(v), width-side, left-6, y(v)+4, v)
		v = xMax * float64(i) / 5
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n", x(v), height-low+18, v)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">regions on five stores</text>`+"\n", left, height-low+36)
	fmt.Fprintf(&b, `<text x="%d" y="%d">CPU milliseconds a virtual second</text>`+"\n", left, top-6)
	for i, l := range lines {
		var path strings.Builder
		for j, p := range l.points {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(j, 1)], x(float64(p.regions)), y(p.ms))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%d regions: %.2f ms</title></circle>`+"\n",
				x(float64(p.regions)), y(p.ms), l.color, p.regions, p.ms)
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path.String(), l.color)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left, height-low+56+16*i, l.color, l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
