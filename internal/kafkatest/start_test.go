package kafkatest_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

func TestValidateReportsAllFaultsAtOnce(t *testing.T) {
	if err := (kafkatest.Config{}).Validate(); err != nil {
		t.Errorf("zero value: %v", err)
	}
	if err := (kafkatest.Config{Brokers: 3, Ports: []int{9092, 9094, 9096}, HeapMiB: 512}).Validate(); err != nil {
		t.Errorf("three brokers: %v", err)
	}
	err := kafkatest.Config{Brokers: 2, Ports: []int{0, 9092, 9093}, Hosts: []string{"10.0.0.1"}, HeapMiB: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, fault := range []string{"Brokers is 2", "3 Ports for 2 brokers", "1 Hosts for 2 brokers", "port 0", "port 9093 or 9094 is given twice", "HeapMiB is -1"} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("error lacks %q: %v", fault, err)
		}
	}
}

// fakes puts stand-ins for mvn and java in front of the real ones: shell scripts that write a line to a journal, then do as they are told.
// It returns the journal's path.
func fakes(t *testing.T, mvn, java string) (journal string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins are shell scripts, which Windows does not run")
	}
	dir := t.TempDir()
	journal = filepath.Join(dir, "journal")
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"mvn": mvn, "java": java} {
		script := "#!/bin/sh\necho " + name + " \"$@\" >> " + journal + "\n" + body + "\n"
		if err := os.WriteFile(filepath.Join(dir, "bin", name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("JAVA_HOME", dir)
	t.Setenv(kafkatest.CacheVariable, filepath.Join(dir, "cache"))
	return journal
}

// fetches is a mvn that succeeds: it makes the directory it was told to fill.
const fetches = `for a in "$@"; do case $a in -DoutputDirectory=*) mkdir -p "${a#*=}";; esac; done`

func failedStart(t *testing.T, config kafkatest.Config) string {
	t.Helper()
	cluster, err := kafkatest.Start(t.Context(), config)
	if err == nil {
		_ = cluster.Close()
		t.Fatal("Start succeeded")
	}
	return err.Error()
}

func TestMissingMavenIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(kafkatest.CacheVariable, t.TempDir())
	if said := failedStart(t, kafkatest.Config{}); !strings.Contains(said, "install maven") {
		t.Errorf("error %q does not say what to install", said)
	}
}

func TestMissingJavaIsNamed(t *testing.T) {
	fakes(t, fetches, "exit 1")
	failedStart(t, kafkatest.Config{}) // fills the cache
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", t.TempDir())
	if said := failedStart(t, kafkatest.Config{}); !strings.Contains(said, "install a JDK") {
		t.Errorf("error %q does not say what to install", said)
	}
}

func TestAFailedFetchLeavesNoCache(t *testing.T) {
	fakes(t, "echo no route to the repository; exit 1", "")
	if said := failedStart(t, kafkatest.Config{}); !strings.Contains(said, "no route to the repository") {
		t.Errorf("error %q does not hold what Maven said", said)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv(kafkatest.CacheVariable), "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("the cache holds %q after a failed fetch", left)
	}
}

func TestJarsAreFetchedOnce(t *testing.T) {
	journal := fakes(t, fetches, "echo no such class; exit 1")
	for range 2 {
		said := failedStart(t, kafkatest.Config{})
		if !strings.Contains(said, "format broker 0") || !strings.Contains(said, "no such class") {
			t.Errorf("error %q does not say that formatting failed, and how", said)
		}
	}
	lines, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(lines), "mvn "); got != 1 {
		t.Errorf("Maven ran %d times, want 1:\n%s", got, lines)
	}
}

// Kafka's tool runs once; what it leaves serves every broker after that, with an id of its own cluster.
func TestFormattedByToolOnce(t *testing.T) {
	journal := fakes(t, fetches, `for last; do :; done
case "$*" in *StorageTool*) echo levels > "$(sed -n 's/^log.dirs=//p' "$last")/bootstrap.checkpoint"; exit 0;; esac; exit 1`)
	metas := map[string]bool{}
	for range 3 {
		dir := t.TempDir()
		failedStart(t, kafkatest.Config{Dir: dir})
		data := filepath.Join(dir, "node-0", "data")
		if levels, err := os.ReadFile(filepath.Join(data, "bootstrap.checkpoint")); err != nil || string(levels) != "levels\n" {
			t.Errorf("checkpoint %q, %v", levels, err)
		}
		if meta, err := os.ReadFile(filepath.Join(data, "meta.properties")); err == nil {
			metas[string(meta)] = true
			for _, want := range []string{"version=1\n", "node.id=0\n", "cluster.id=", "directory.id="} {
				if !strings.Contains(string(meta), want) {
					t.Errorf("meta.properties lacks %q:\n%s", want, meta)
				}
			}
		}
	}
	if len(metas) != 2 {
		t.Errorf("%d different meta.properties were written, want two; the tool writes the first", len(metas))
	}
	lines, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(lines), "StorageTool"); got != 1 {
		t.Errorf("the tool ran %d times, want 1:\n%s", got, lines)
	}
}

func TestABrokerThatEndsAtOnceIsReportedWithItsLog(t *testing.T) {
	fakes(t, fetches, `case "$*" in *StorageTool*) exit 0;; esac; echo the disk is upside down; exit 1`)
	dir := t.TempDir()
	said := failedStart(t, kafkatest.Config{Dir: dir})
	for _, want := range []string{"broker 0", "ended before", "the disk is upside down"} {
		if !strings.Contains(said, want) {
			t.Errorf("error lacks %q: %s", want, said)
		}
	}
	// The configuration stays for those who look into what happened.
	text, err := os.ReadFile(filepath.Join(dir, "node-0", "server.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "auto.create.topics.enable=false\n") {
		t.Errorf("server.properties lets topics appear by themselves:\n%s", text)
	}
}

func TestPropertiesWinOverDefaults(t *testing.T) {
	fakes(t, fetches, "exit 1")
	dir := t.TempDir()
	failedStart(t, kafkatest.Config{Brokers: 3, Dir: dir, Properties: map[string]string{
		"message.max.bytes": "2000000", "group.min.session.timeout.ms": "6000",
	}})
	for id := range 3 {
		text, err := os.ReadFile(filepath.Join(dir, "node-"+strconv.Itoa(id), "server.properties"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"node.id=" + strconv.Itoa(id), "message.max.bytes=2000000", "group.min.session.timeout.ms=6000",
			"min.insync.replicas=2", "transaction.state.log.replication.factor=3",
		} {
			if !strings.Contains(string(text), line+"\n") {
				t.Errorf("server.properties of node %d lacks %q:\n%s", id, line, text)
			}
		}
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	fakes(t, fetches, "exit 0")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if said := failedStart(t, kafkatest.Config{Ports: []int{number}}); !strings.Contains(said, "127.0.0.1:"+port) {
		t.Errorf("error %q does not name port %s", said, port)
	}
}

func TestComposeFileStartsTheSameBroker(t *testing.T) {
	fakes(t, fetches, "exit 1")
	dir := t.TempDir()
	failedStart(t, kafkatest.Config{Dir: dir})
	text, err := os.ReadFile(filepath.Join(dir, "node-0", "server.properties"))
	if err != nil {
		t.Fatal(err)
	}
	compose, err := os.ReadFile(filepath.Join("..", "..", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if image := "image: apache/kafka:" + kafkatest.Version + "\n"; !strings.Contains(string(compose), image) {
		t.Errorf("compose.yaml lacks %q", image)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs":
			continue // where they listen and write differs by nature
		}
		variable := "KAFKA_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_")) + ": "
		if !strings.Contains(string(compose), variable+value+"\n") && !strings.Contains(string(compose), variable+strconv.Quote(value)+"\n") {
			t.Errorf("compose.yaml lacks %s%s", variable, value)
		}
	}
}
