package store

// CancelTopic is where the ids of canceled executions are told to those who work on them.
const CancelTopic = "cancel"

// EndTopic is where the end of an execution is told.
func EndTopic(run string) string { return "end/" + run }
