package muster

import (
	"bytes"
	"path"
	"strings"
)

// panicPlace finds in a stack the function and the line that panicked: the first frame below the runtime's own.
func panicPlace(stack []byte) string {
	lines := bytes.Split(stack, []byte("\n"))
	panicked := false
	for i := 0; i+1 < len(lines); i++ {
		line := string(lines[i])
		if strings.HasPrefix(line, "panic(") {
			panicked = true
			i++ // its file
			continue
		}
		if !panicked || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "runtime.") {
			continue
		}
		file, _, _ := strings.Cut(strings.TrimSpace(string(lines[i+1])), " ")
		name := path.Base(line)
		if cut := strings.LastIndexByte(name, '('); cut > 0 {
			name = name[:cut]
		}
		return " in " + name + " at " + path.Base(file)
	}
	return ""
}
