package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) benchCommand() *cobra.Command {
	return family("bench", "Measure how fast botwatch is here", a.benchClassifyCommand(), a.benchPipelineCommand())
}

// machine is what figures were measured on.
type machine struct {
	Go     string `json:"go"`
	System string `json:"system"`
	Cores  int    `json:"cores"`
}

func thisMachine() machine {
	return machine{Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.GOMAXPROCS(0)}
}

func (m machine) String() string { return fmt.Sprintf("%s %s, %d cores", m.Go, m.System, m.Cores) }

// memoryText gives a peak of memory; 0 is unknown.
func memoryText(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// writeColumns writes rows below a heading, the first column to the left, the
// others to the right.
func (s screen) writeColumns(w io.Writer, heading []string, rows [][]string) error {
	width := make([]int, len(heading))
	for _, row := range append(rows, heading) {
		for i, cell := range row {
			width[i] = max(width[i], textWidth(cell))
		}
	}
	line := func(row []string) string {
		text := pad(row[0], width[0])
		for i := 1; i < len(row); i++ {
			text += "  " + padLeft(row[i], width[i])
		}
		return text
	}
	var b strings.Builder
	b.WriteString(s.paint(bold, line(heading)) + "\n")
	for _, row := range rows {
		b.WriteString(line(row) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
