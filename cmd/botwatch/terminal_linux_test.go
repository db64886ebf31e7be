package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/term"
)

// terminal gives a terminal of so many columns, and what was written to it once
// the function is called, which closes it.
func terminal(t *testing.T, columns uint16) (*os.File, func() string) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	ioctl := func(request uintptr, value unsafe.Pointer) {
		t.Helper()
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(value)); errno != 0 {
			t.Skipf("no terminals here: %v", errno)
		}
	}
	var unlock, number uint32
	ioctl(syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(syscall.TIOCGPTN, unsafe.Pointer(&number))
	size := struct{ rows, columns, x, y uint16 }{rows: 50, columns: columns}
	ioctl(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	if _, err := term.MakeRaw(int(tty.Fd())); err != nil { // else newlines become two characters
		t.Fatal(err)
	}
	var shown bytes.Buffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(&shown, screen) // until the terminal is closed: EIO
	}()
	return tty, func() string {
		tty.Close()
		<-ended
		screen.Close()
		return shown.String()
	}
}

// onTerminal runs the program with standard output on a terminal.
func onTerminal(t *testing.T, columns uint16, env map[string]string, args ...string) string {
	t.Helper()
	tty, shown := terminal(t, columns)
	invocation{args: args, stdout: tty, env: env}.run()
	return shown()
}

func TestTableOnTerminals(t *testing.T) {
	noColor := map[string]string{"NO_COLOR": "1"}
	for _, columns := range []uint16{80, 160} {
		for _, name := range []string{"accounts", "hostile"} {
			in := "testdata/" + name + ".ndjson"
			text := onTerminal(t, columns, noColor, "classify", in)
			golden(t, fmt.Sprintf("%s.table.%d", name, columns), text)
			if strings.Contains(text, "\x1b") {
				t.Errorf("%d columns: colours in spite of NO_COLOR", columns)
			}
			for _, line := range strings.Split(text, "\n") {
				if n := textWidth(line); n > int(columns) {
					t.Errorf("%d columns in %d: %s", n, columns, line)
				}
			}
		}
		golden(t, fmt.Sprintf("accounts.explain.%d", columns), onTerminal(t, columns, noColor, "classify", "--explain", published))
	}
}

func TestColour(t *testing.T) {
	colored := onTerminal(t, 80, nil, "classify", hostile)
	golden(t, "hostile.table.80.color", colored)
	bare := onTerminal(t, 80, map[string]string{"NO_COLOR": "1"}, "classify", hostile)
	for _, st := range []style{bold, faint, yellow, red} {
		if !strings.Contains(colored, string(st)) {
			t.Errorf("%q is not used", st)
		}
		colored = strings.ReplaceAll(colored, string(st), "")
	}
	if got := strings.ReplaceAll(colored, "\x1b[0m", ""); got != bare {
		t.Error("colours change the text")
	}
	if got := onTerminal(t, 80, map[string]string{"TERM": "dumb"}, "classify", hostile); got != bare {
		t.Error("colours on a dumb terminal")
	}
	if got := onTerminal(t, 80, map[string]string{"NO_COLOR": ""}, "classify", hostile); got == bare {
		t.Error("an empty NO_COLOR turns colours off")
	}
}

func TestModelInfoOnTerminals(t *testing.T) {
	golden(t, "model.info.80", onTerminal(t, 80, nil, "model", "info"))
}
