package service

import "github.com/seed-3eec0498/muster/kafka"

// CheckTopicIDs holds the topics of a cluster against those a directory was last used with.
func CheckTopicIDs(dir string, groups map[string]kafka.TopicIDs) error {
	return checkTopicIDs(dir, groups)
}
