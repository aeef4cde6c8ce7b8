package ledger

import "strings"

// Ends tells whether a statement would end the transaction it runs in, or begin another one: COMMIT, END, ABORT, ROLLBACK but not to a savepoint,
// BEGIN, START TRANSACTION, PREPARE TRANSACTION. It looks at the first words of a single statement; what hides behind another one is found out
// by the mark that a batch leaves in its transaction.
func Ends(sql string) bool {
	first, rest := next(sql)
	second, rest := next(rest)
	switch first {
	case "commit", "end", "abort", "begin":
		return true
	case "start", "prepare":
		return second == "transaction"
	case "rollback":
		if second == "work" || second == "transaction" {
			second, _ = next(rest)
		}
		return second != "to"
	}
	return false
}

// next gives the first word in small letters, and what is behind it. It passes over white space and comments.
func next(sql string) (first, rest string) {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql, "*/")
		default:
			end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' })
			if end < 0 {
				end = len(sql)
			}
			return strings.ToLower(sql[:end]), sql[end:]
		}
	}
}
