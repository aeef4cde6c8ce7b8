package projector_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster/projector"
)

// rot flips a byte in every table of a store that is closed.
func rot(t *testing.T, files vfs.FS, dir string) {
	t.Helper()
	names, err := files.List(dir)
	noError(t, err)
	tables := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		tables++
		path := files.PathJoin(dir, name)
		file, err := files.Open(path)
		noError(t, err)
		content, err := io.ReadAll(file)
		noError(t, err)
		noError(t, file.Close())
		content[5] ^= 0x40
		file, err = files.Create(path, vfs.WriteCategoryUnspecified)
		noError(t, err)
		_, err = file.Write(content)
		noError(t, err)
		noError(t, file.Close())
	}
	if tables == 0 {
		t.Fatal("the store has no table; nothing was damaged")
	}
}

// A byte of a copy's table has flipped. Whether that is met while it follows or when its instance is to take over: the copy is given up by name, what it had is
// served to nobody, and it is built anew from the journal.
func TestADamagedCopyIsBuiltAnew(t *testing.T) {
	for name, takesOver := range map[string]bool{"it follows": false, "it takes over": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newStandbyRig(t, 1, "one")
				r.members.Stand("two", 0)
				var told []projector.StoreRebuilt
				cfg := projector.StoreConfig{Views: []projector.AnyView{r.view}, Dir: "two", FS: vfs.NewMem(), Observe: projector.StoreObserve{
					Rebuilt: func(b projector.StoreRebuilt) { told = append(told, b) },
				}}
				r.stores["two"] = openStore(t, cfg)
				r.note(0, "a:1", "a:2")
				r.start(r.on("one"))
				_, stop := r.start(r.on("two"))
				r.wantView("two", 0, old, "a:1 2")
				stop()
				noError(t, r.stores["two"].Close())
				noError(t, openStore(t, cfg).Close()) // what was in the log is in a table now
				rot(t, cfg.FS, cfg.Dir)

				r.stores["two"] = openStore(t, cfg)
				if takesOver {
					r.members.Cut("one")
				}
				runner, _ := r.start(r.on("two"))
				r.note(0, "a:3")
				pass(time.Minute)
				if s := status(t, runner, 0); s.State != projector.Live || s.Standby == takesOver || s.Lag != 0 {
					t.Errorf("a minute later: %+v", s)
				}
				opts := old
				if takesOver {
					opts = nil
				}
				r.wantView("two", 0, opts, "a:1 2 3")
				if len(told) == 0 || told[0].Reason != projector.RebuiltCorrupt || told[0].Cause == nil {
					t.Errorf("told: %+v", told)
				}
			})
		})
	}
}
