// What EventStoreDB's client for Node does with a served log. The address is the only argument; the
// first thing that is not as it should be ends it with an error.
const assert = require("node:assert/strict");
const {
  EventStoreDBClient, jsonEvent, binaryEvent, START, END, FORWARDS, BACKWARDS, NO_STREAM, STREAM_EXISTS, PARK,
  WrongExpectedVersionError, StreamNotFoundError, StreamDeletedError, AccessDeniedError, PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionExistsError, persistentSubscriptionToStreamSettingsFromDefaults, persistentSubscriptionToAllSettingsFromDefaults,
  streamNameFilter, eventTypeFilter, excludeSystemEvents,
} = require("@eventstore/db-client");

const client = EventStoreDBClient.connectionString(process.argv[2]);
const events = (...types) => types.map((type, n) => jsonEvent({ type, data: { n }, metadata: { by: "node" } }));

async function types(read) {
  const all = [];
  for await (const { event } of read) all.push(event.type);
  return all.join(" ");
}

// next takes as many events from a subscription, and leaves it open.
async function next(subscription, count) {
  const all = [];
  for await (const resolved of subscription) {
    all.push(resolved.event.type);
    if (all.length === count) break;
  }
  return all.join(" ");
}

async function appending() {
  const first = events("A", "B");
  const result = await client.appendToStream("s-1", first, { expectedRevision: NO_STREAM });
  assert.equal(result.success, true);
  assert.equal(result.nextExpectedRevision, 1n);
  const again = await client.appendToStream("s-1", first, { expectedRevision: NO_STREAM });
  assert.deepEqual(again.position, result.position);
  await assert.rejects(client.appendToStream("s-1", events("C"), { expectedRevision: 5n }), (err) =>
    err instanceof WrongExpectedVersionError && err.actualVersion === 1n && err.expectedVersion === 5n);
  await assert.rejects(client.appendToStream("none", events("C"), { expectedRevision: STREAM_EXISTS }), (err) =>
    err instanceof WrongExpectedVersionError && err.actualVersion === "no_stream");
  // with credentials of its own a call takes the other way to append
  await assert.rejects(client.appendToStream("s-1", events("C"), { credentials: { username: "ann", password: "wrong" } }), AccessDeniedError);
  const credentials = { username: "ann", password: "p@ss" };
  await client.appendToStream("s-1", events("C"), { expectedRevision: 1n, credentials });
  await assert.rejects(client.appendToStream("s-1", events("D"), { expectedRevision: 1n, credentials }), WrongExpectedVersionError);
  const big = binaryEvent({ type: "Big", data: Buffer.alloc(7 << 20, 7) });
  await client.appendToStream("big", [big]);
  for await (const { event } of client.readStream("big")) assert.equal(Buffer.compare(Buffer.from(event.data), Buffer.alloc(7 << 20, 7)), 0);
  await Promise.all(Array.from({ length: 50 }, (_, n) => client.appendToStream(`many-${n % 5}`, events("M"))));
}

async function reading() {
  assert.equal(await types(client.readStream("s-1")), "A B C");
  assert.equal(await types(client.readStream("s-1", { direction: BACKWARDS, fromRevision: END, maxCount: 2 })), "C B");
  assert.equal(await types(client.readStream("s-1", { fromRevision: 1n })), "B C");
  assert.equal(await types(client.readAll({ direction: FORWARDS, fromPosition: START, maxCount: 3 })), "A B C");
  for await (const { event } of client.readStream("s-1", { maxCount: 1 })) {
    assert.deepEqual([event.data, event.metadata, event.streamId, event.revision], [{ n: 0 }, { by: "node" }, "s-1", 0n]);
    assert.ok(Math.abs(Date.now() - event.created.getTime()) < 600_000);
  }
  await assert.rejects(types(client.readStream("none")), StreamNotFoundError);
}

async function metadata() {
  await client.setStreamMetadata("s-1", { maxCount: 2, colour: "red" });
  assert.equal(await types(client.readStream("s-1")), "B C");
  const { metadata } = await client.getStreamMetadata("s-1");
  assert.deepEqual(metadata, { maxCount: 2, colour: "red" });
  await client.appendToStream("gone", events("X"));
  await client.deleteStream("gone");
  await assert.rejects(types(client.readStream("gone")), StreamNotFoundError);
  await client.appendToStream("gone", events("Y"));
  assert.equal(await types(client.readStream("gone")), "Y");
  await client.tombstoneStream("gone");
  await assert.rejects(types(client.readStream("gone")), StreamDeletedError);
  await assert.rejects(client.appendToStream("gone", events("Z")), StreamDeletedError);
}

async function subscribing() {
  const stream = client.subscribeToStream("t-1", { fromRevision: START });
  const all = client.subscribeToAll({ fromPosition: START, filter: streamNameFilter({ prefixes: ["t-"] }) });
  const kinds = client.subscribeToAll({ fromPosition: START, filter: eventTypeFilter({ regex: "^T[2]$" }) });
  const users = client.subscribeToAll({ fromPosition: END, filter: excludeSystemEvents() });
  await new Promise((resolve) => users.once("confirmation", resolve));
  await client.appendToStream("t-1", events("T1", "T2"));
  assert.equal(await next(stream, 2), "T1 T2");
  assert.equal(await next(all, 2), "T1 T2");
  assert.equal(await next(kinds, 1), "T2");
  assert.equal(await next(users, 2), "T1 T2");
}

async function groups() {
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START });
  await client.createPersistentSubscriptionToStream("t-1", "g", settings);
  await assert.rejects(client.createPersistentSubscriptionToStream("t-1", "g", settings), PersistentSubscriptionExistsError);
  const group = client.subscribeToPersistentSubscriptionToStream("t-1", "g");
  const seen = [];
  for await (const resolved of group) {
    seen.push(`${resolved.event.type}/${resolved.retryCount}`);
    if (seen.length === 1) await group.nack("retry", "again", resolved);
    else if (seen.length === 3) { await group.nack(PARK, "bad", resolved); break; }
    else await group.ack(resolved);
  }
  assert.deepEqual(seen.sort(), ["T1/0", "T1/1", "T2/0"]);
  const info = await client.getPersistentSubscriptionToStreamInfo("t-1", "g");
  assert.equal(info.settings.startFrom, START);
  await client.updatePersistentSubscriptionToStream("t-1", "g", settings);
  await client.createPersistentSubscriptionToAll("h", persistentSubscriptionToAllSettingsFromDefaults({ startFrom: START }), { filter: streamNameFilter({ prefixes: ["t-"] }) });
  const toAll = client.subscribeToPersistentSubscriptionToAll("h");
  for await (const resolved of toAll) {
    assert.equal(resolved.event.type, "T1");
    await toAll.ack(resolved);
    break;
  }
  assert.equal((await client.listAllPersistentSubscriptions()).length, 2);
  await client.deletePersistentSubscriptionToStream("t-1", "g");
  await client.deletePersistentSubscriptionToAll("h");
  await assert.rejects(client.deletePersistentSubscriptionToStream("t-1", "g"), PersistentSubscriptionDoesNotExistError);
}

(async () => {
  for (const part of [appending, reading, metadata, subscribing, groups]) {
    await part();
    console.log(part.name);
  }
  await client.dispose();
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
