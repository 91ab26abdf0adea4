// The audits of GraphQL over HTTP, all of which the server is to pass: none is an error, a warning or a
// notice.
const assert = require("node:assert/strict");
const { serverAudits } = require("graphql-http");
const { api, authorization, run } = require("./heddle");

run(async function audits() {
  const fetchFn = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, authorization } });
  const results = await Promise.all(serverAudits({ url: api, fetchFn }).map((audit) => audit.fn()));
  assert.deepEqual(results.filter((result) => result.status !== "ok").map(({ id, name, reason }) => `${id} ${name}: ${reason}`), []);
  assert.equal(results.length, 61);
});
