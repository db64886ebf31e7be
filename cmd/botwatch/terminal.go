package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// screen is what is known of where a text goes.
type screen struct {
	terminal bool
	width    int  // columns; 0 where there is no limit
	color    bool // whether colours may be used
}

// screenOf looks at a writer. NO_COLOR and TERM=dumb turn colours off.
func (a *app) screenOf(w io.Writer) screen {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return screen{}
	}
	s := screen{terminal: true, width: 80, color: a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"}
	if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
		s.width = columns
	}
	return s
}

// style is a way to set off text on a terminal.
type style string

// The styles.
const (
	plain  style = ""
	bold   style = "\x1b[1m"
	faint  style = "\x1b[2m"
	yellow style = "\x1b[33m"
	red    style = "\x1b[31m"
)

// paint sets a text off where colours may be used.
func (s screen) paint(st style, text string) string {
	if !s.color || st == plain {
		return text
	}
	return string(st) + text + "\x1b[0m"
}
