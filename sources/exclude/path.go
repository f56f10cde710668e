package exclude

import (
	"regexp"
	"strings"
)

// roots are other words for what a path of Windows begins with, once it is folded.
var roots = [][2]string{
	{`\systemroot\`, `c:\windows\`},
	{`%systemroot%\`, `c:\windows\`},
	{`%windir%\`, `c:\windows\`},
	{`%systemdrive%\`, `c:\`},
	{`%programfiles%\`, `c:\program files\`},
	{`c:\windows\sysnative\`, `c:\windows\system32\`}, // as 32-bit programs see it; the last, since it may come of the others
}

var prefixes = regexp.MustCompile(`^(?:\\\\[?.]\\|\\\?\?\\|\\device\\harddiskvolume\d+\\)`)

// foldPath gives two spellings of one path the same text: without case, with one separator, and with
// %SystemRoot% and its like as what they usually are.
func foldPath(path string) string {
	path = strings.ToLower(path)
	if strings.HasPrefix(path, "/") {
		return single(path, "/")
	}
	path = strings.ReplaceAll(path, "/", `\`)
	if i := prefixes.FindStringIndex(path); i != nil {
		onDevice := strings.HasPrefix(path, `\device`)
		if path = path[i[1]:]; onDevice {
			path = `c:\` + path
		}
	}
	path = single(path, `\`)
	for _, r := range roots {
		if rest, ok := strings.CutPrefix(path, r[0]); ok {
			path = r[1] + rest
		}
	}
	return path
}

// single leaves one separator where several follow each other.
func single(path, separator string) string {
	for double := separator + separator; strings.Contains(path, double); {
		path = strings.ReplaceAll(path, double, separator)
	}
	return path
}
