package kafkatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// checkpointFile is what formatting leaves in a data directory: the features and their levels that the release begins with. It is the same for
// each node of each cluster.
const checkpointFile = "bootstrap.checkpoint"

// format makes the data directory one of this cluster's. Kafka's tool for that is a Java program, which takes as long as half the start of a
// broker: its result is kept beside the jars.
func (b *Broker) format(ctx context.Context, clusterID, data string) error {
	kept := b.jars + "-" + checkpointFile
	checkpoint, err := os.ReadFile(kept)
	if err != nil {
		return b.formatByTool(ctx, clusterID, data, kept)
	}
	meta := fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", clusterID, b.id, randomID())
	if err = os.WriteFile(filepath.Join(data, "meta.properties"), []byte(meta), 0o600); err == nil {
		err = os.WriteFile(filepath.Join(data, checkpointFile), checkpoint, 0o600)
	}
	if err != nil {
		return fmt.Errorf("kafkatest: format broker %d: %w", b.id, err)
	}
	return nil
}

// formatByTool lets Kafka do it, and keeps what there is to keep.
func (b *Broker) formatByTool(ctx context.Context, clusterID, data, kept string) error {
	command := exec.CommandContext(ctx, b.java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(b.jars, "*"),
		"kafka.tools.StorageTool", "format", "-t", clusterID, "-c", b.file("server.properties"))
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kafkatest: format broker %d: %w\n%s", b.id, err, tail(said))
	}
	checkpoint, err := os.ReadFile(filepath.Join(data, checkpointFile))
	if err != nil {
		return nil // Kafka will say what it lacks
	}
	// Renamed when it is complete: others may look for it meanwhile.
	part := fmt.Sprintf("%s-%d-%d", kept, os.Getpid(), b.port)
	if err = os.WriteFile(part, checkpoint, 0o600); err == nil {
		err = os.Rename(part, kept)
	}
	if err != nil {
		return fmt.Errorf("kafkatest: keep %s: %w", kept, err)
	}
	return nil
}
