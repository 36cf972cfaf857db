package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

// errFailures is the error of a load that ran, and of which some requests failed.
var errFailures = errors.New("requests failed")

// exitInterrupted is the exit code after CTRL+C. Shells use the same one.
const exitInterrupted = 130

// A scenario is a load that can be run several times, on one or two targets.
type scenario interface {
	// prepare writes the keys that the load reads to t. It is called once for each target.
	prepare(ctx context.Context, t *target) error
	// run makes the load once. When ctx ends, it returns what it has measured until then.
	run(ctx context.Context, t *target) (*result, error)
}

// A requestLoad is a scenario: it runs a workload of requests and answers.
type requestLoad struct {
	o       *options
	name    string
	work    workload
	setting map[string]string
}

func (l *requestLoad) prepare(ctx context.Context, t *target) error {
	return l.work.prepare(ctx, l.o, t)
}

func (l *requestLoad) run(ctx context.Context, t *target) (*result, error) {
	if l.o.clients < 1 {
		return nil, fmt.Errorf("%w: --clients: at least 1", errUsage)
	}
	links, err := dialAll(ctx, t, min(l.o.conns, l.o.clients), l.o.timeout)
	if err != nil {
		return nil, err
	}
	defer closeAll(links)
	workers := newWorkers(l.work, links, l.o.clients)
	if l.o.warmup > 0 {
		drive(ctx, phase{duration: l.o.warmup, rate: l.o.rate}, workers, newRecorder(l.work.classes()), observer{})
	}
	rec := newRecorder(l.work.classes())
	cpu := processCPU()
	elapsed := drive(ctx, l.o.phase, workers, rec, l.o.observer(l.name+" "+t.String()))
	r := &result{Workload: l.name, Target: t.String(), Setting: l.setting, Unit: "requests"}
	r.GeneratorCPU = coresSince(cpu, rec.start)
	all := make([]int, len(rec.classes))
	for i := range all {
		all[i] = i
	}
	r.fillFrom(rec, elapsed, all...)
	r.Interrupted = ctx.Err() != nil
	return r, nil
}

// processCPU returns the processor time that this process has used; 0 if the system does not report it.
func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// coresSince returns the mean number of cores that this process has used since start. cpu is its processor time at start.
func coresSince(cpu time.Duration, start time.Time) float64 {
	return divide(float64(processCPU()-cpu), float64(time.Since(start)))
}

// execute runs s and prints its result. SIGINT and SIGTERM end it early; then it prints the result until then.
func execute(c *cli.Context, o *options, s scenario) error {
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the default action is restored, so that a second signal ends the process.
	context.AfterFunc(ctx, stop)
	if o.other != nil {
		return executeComparison(ctx, o, s)
	}
	if err := s.prepare(ctx, o.target); err != nil {
		return interruptedOr(ctx, err)
	}
	closeTimeline, err := o.openTimeline()
	if err != nil {
		return err
	}
	r, err := s.run(ctx, o.target)
	if err := errors.Join(err, closeTimeline()); err != nil {
		return interruptedOr(ctx, err)
	}
	if o.json {
		err = writeJSON(o.stdout, r)
	} else {
		err = r.write(o.stdout)
	}
	return verdict(ctx, err, r.Failed, r.Requests)
}

func executeComparison(ctx context.Context, o *options, s scenario) error {
	progress := func(r *result) { fmt.Fprint(o.stdout, roundLine(r)) }
	if o.json {
		progress = func(*result) {}
	}
	c, err := compare(ctx, s, o.target, o.other, o.rounds, progress)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	if o.json {
		err = writeJSON(o.stdout, c)
	} else {
		err = c.write(o.stdout)
	}
	failed, requests := c.failed()
	return verdict(ctx, err, failed, requests)
}

// verdict returns the error of a load whose result has been printed, or nil if no request failed.
func verdict(ctx context.Context, err error, failed, requests uint64) error {
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return cli.Exit("", exitInterrupted)
	case failed > 0:
		return fmt.Errorf("%w: %d of %d; the kinds and the first of each are listed above", errFailures, failed, requests)
	}
	return nil
}

// interruptedOr returns the exit code of an interrupt if ctx has ended, and err otherwise.
func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cli.Exit("interrupted before anything was measured", exitInterrupted)
	}
	return err
}

// openTimeline creates the file of --timeline, if the flag was given. The function that it returns closes the file, and returns every
// error of writing it.
func (o *options) openTimeline() (closeFile func() error, err error) {
	if o.timeline == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(o.timeline)
	if err != nil {
		return nil, fmt.Errorf("--timeline: %w", err)
	}
	o.lines = newTimeline(f)
	return func() error {
		if err := errors.Join(o.lines.err, f.Close()); err != nil {
			return fmt.Errorf("--timeline: %w", err)
		}
		return nil
	}, nil
}
