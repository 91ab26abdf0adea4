package live

// CancelTopic carries the ids of canceled executions to their workers.
const CancelTopic = "cancel"

// OfferTopic carries the name of a process that has offered runs to all workers.
const OfferTopic = "offer"

// EndTopic announces the end of an execution.
func EndTopic(run string) string { return endTopics + run }

// endTopics begins the topics of all ends.
const endTopics = "end/"

// PresenceTopic carries who looks at a draft between processes.
func PresenceTopic(draft string) string { return "presence/" + draft }
