package kafkatest

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// CacheVariable names the environment variable that says where the jars are kept, instead of the user's cache directory.
const CacheVariable = "MUSTER_KAFKA_CACHE"

//go:embed pom.xml
var pom []byte

// jars returns the directory with Kafka's jars. If the cache lacks it, Maven fetches them: some 45 files, 44 MB.
func jars(ctx context.Context, config Config) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	// The name changes with the pom, so that a cache filled by another version of this package is not taken for complete.
	lib := filepath.Join(cache, Version, fmt.Sprintf("lib-%x", sha256.Sum256(pom))[:12])
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("kafkatest: %w", err)
	}
	config.logf("fetching the jars of Kafka %s with Maven into %s", Version, lib)
	if err := fetch(ctx, lib); err != nil {
		return "", err
	}
	return lib, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("kafkatest: no cache directory: %w; set %s", err, CacheVariable)
	}
	return filepath.Join(user, "muster-kafka"), nil
}

// fetch fills a directory beside lib and renames it when it is complete: a fetch that was cut short leaves no half cache, and of two at
// the same time the later one finds the other's result.
func fetch(ctx context.Context, lib string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("kafkatest: Maven is needed to fetch Kafka %s: %w; install maven, or use the broker of compose.yaml "+
			"and set MUSTER_BROKERS", Version, err)
	}
	if err := os.MkdirAll(filepath.Dir(lib), 0o755); err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(lib), "fetch-")
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	defer os.RemoveAll(work)
	project, out := filepath.Join(work, "pom.xml"), filepath.Join(work, "lib")
	if err := os.WriteFile(project, pom, 0o600); err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	command := exec.CommandContext(ctx, mvn, "-B", "-q", "-f", project, "-Dkafka.version="+Version,
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+out)
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kafkatest: Maven could not fetch Kafka %s: %w\n%s", Version, err, tail(said))
	}
	if err := os.Rename(out, lib); err != nil {
		if _, there := os.Stat(lib); there == nil {
			return nil
		}
		return fmt.Errorf("kafkatest: %w", err)
	}
	return nil
}

// java returns the Java program: that of JAVA_HOME, else the one on the path.
func java() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("kafkatest: Kafka needs Java 17 or newer: %w; install a JDK or set JAVA_HOME", err)
	}
	return path, nil
}

// tail is the end of a program's output, as much as fits into an error message.
func tail(said []byte) []byte {
	const limit = 4096
	return said[max(0, len(said)-limit):]
}
