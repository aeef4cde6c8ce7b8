package producer

import "github.com/seed-3eec0498/muster/kafka"

// needJournal asks for the rights of one who looks at the journal's producers.
const needJournal = "journal"

// rights gives those that a stage of a commit needs, so that an error about a missing one names it.
func (p *Producer) rights(stage string) []kafka.Right {
	topic := func(name, operation string) []kafka.Right { return kafka.On(kafka.TopicResource, name, operation) }
	transactions := kafka.Right{Operation: "Write", Resource: kafka.TransactionalResource, Name: p.transactionalGroup() + "/" + p.cfg.Instance + "/*"}
	switch stage {
	case needJournal:
		return topic(p.topics.journal, "Read")
	case StageProduce:
		return append(append(topic(p.topics.journal, "Write"), topic(p.topics.dead, "Write")...), transactions)
	}
	return append(topic(p.topics.commands, "Read"),
		kafka.Right{Operation: "Read", Resource: kafka.GroupResource, Name: p.transactionalGroup()}, transactions)
}
