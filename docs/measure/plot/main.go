// Command plot draws the figures of docs/benchmarks.md: it reads measurements from
// the standard input, a line each of a server, an x and a y with tabs between, and
// writes a figure with a line for each server to the standard output, as SVG. It is
// a module of its own, so that the program does not depend on what draws.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

func main() {
	var f figure
	flag.StringVar(&f.title, "title", "", "what stands above the figure")
	flag.StringVar(&f.x, "x", "", "what the horizontal axis shows")
	flag.StringVar(&f.y, "y", "", "what the vertical axis shows")
	flag.StringVar(&f.log, "log", "", "the axes that are logarithmic: x, y or xy")
	flag.Parse()
	if err := f.draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// figure is what the flags say of it.
type figure struct{ title, x, y, log string }

// The size of a figure.
const (
	width  = 18 * vg.Centimeter
	height = 9 * vg.Centimeter
)

func (f figure) draw(in io.Reader, out io.Writer) error {
	lines, err := read(in)
	if err != nil {
		return err
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = f.title, f.x, f.y
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for i, l := range lines {
		line, points, err := plotter.NewLinePoints(l.at)
		if err != nil {
			return err
		}
		line.Color, points.Color = plotutil.Color(i), plotutil.Color(i)
		points.Shape = plotutil.Shape(i)
		p.Add(line, points)
		p.Legend.Add(l.server, line, points)
	}
	f.scale(p, lines)
	svg, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return err
	}
	_, err = svg.WriteTo(out)
	return err
}

// scale sets the axes.
func (f figure) scale(p *plot.Plot, lines []line) {
	if strings.Contains(f.log, "x") {
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = measured(lines)
	}
	if strings.Contains(f.log, "y") {
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	} else {
		p.Y.Min = 0
	}
}

// measured marks an axis where something was measured.
func measured(lines []line) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, xy := range lines[0].at {
		ticks = append(ticks, plot.Tick{Value: xy.X, Label: strconv.FormatFloat(xy.X, 'g', -1, 64)})
	}
	return ticks
}

// line is what was measured of one server.
type line struct {
	server string
	at     plotter.XYs
}

// read gives the lines in the order in which their servers first come.
func read(in io.Reader) ([]line, error) {
	var lines []line
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("%q is not a server, an x and a y with tabs between", scanner.Text())
		}
		x, errX := strconv.ParseFloat(fields[1], 64)
		y, errY := strconv.ParseFloat(fields[2], 64)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}
		i := 0
		for i < len(lines) && lines[i].server != fields[0] {
			i++
		}
		if i == len(lines) {
			lines = append(lines, line{server: fields[0]})
		}
		lines[i].at = append(lines[i].at, plotter.XY{X: x, Y: y})
	}
	if len(lines) == 0 {
		return nil, errors.New("nothing was measured")
	}
	return lines, scanner.Err()
}
