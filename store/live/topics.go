package live

// CancelTopic is where the ids of canceled executions are told to those who work on them.
const CancelTopic = "cancel"

// OfferTopic is where the name of a process is told that has offered runs to all that execute them.
const OfferTopic = "offer"

// EndTopic is where the end of an execution is told.
func EndTopic(run string) string { return endTopics + run }

// endTopics begins the topics of all ends.
const endTopics = "end/"

// PresenceTopic is where processes tell each other who looks at a draft.
func PresenceTopic(draft string) string { return "presence/" + draft }
