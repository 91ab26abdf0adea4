// Package app is the room between what Heddle knows and its doors: what spans streams, or what two doors share. It has
// no code of its own, and nothing below it knows GraphQL or HTTP. Its words:
//
//   - A principal is who makes a request, found by a token; a verb is something that a principal may do. A door maps
//     its own fields and addresses to verbs.
//   - A draft reference is a draft of an integration, the main one or a named one; the main one may not be there yet.
//   - To settle a draft is to finish a publish that has closed it, whoever began that.
//   - A publication is a publish with its note, attributes and reason to go past the review policy.
//   - A setup is what a new instance is made of; a deploy makes the chosen version live.
//   - The owner of a secret is an instance, which stands for its customer, or an organization.
//   - A message is what people are told, a channel is how it reaches them, and a mark how far a channel has come.
package app
