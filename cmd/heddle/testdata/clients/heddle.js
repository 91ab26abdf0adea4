// What these programs share: where the server is (the only argument, as JSON) and how to make something
// happen on it. The first thing that is not as it should be ends a program with an error.
const http = require("node:http");
const net = require("node:net");

const { url, token, trigger, instance } = JSON.parse(process.argv[2]?.startsWith("{") ? process.argv[2] : "{}");
const api = `${url}/api`;
const authorization = `Bearer ${token}`;

async function ask(query, variables = {}) {
  const response = await fetch(api, { method: "POST", headers: { authorization, "content-type": "application/json" }, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const describe = (description) =>
  ask("mutation ($input: UpdateInstanceInput!) { updateInstance(input: $input) { errors { messages } } }", { input: { id: instance, description } });

// execution starts one, whose only step asks the URL given; without one it has an end at once.
async function execution(hook = "") {
  const response = await fetch(url + trigger, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ url: hook }) });
  return (await response.json()).executionId;
}

function listen(server) {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

// gate is a server that answers a step when it is told to.
async function gate() {
  const waiting = [];
  const server = http.createServer((_, response) => waiting.push(response));
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}/`,
    open() {
      server.on("request", (_, response) => response.end('"ok"'));
      waiting.forEach((response) => response.end('"ok"'));
    },
    close: () => server.close(),
  };
}

// wire is a way to the server that can be cut.
async function wire() {
  const open = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(new URL(url).port, new URL(url).hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      open.add(socket);
      socket.on("close", () => { open.delete(socket); other.destroy(); });
      socket.on("error", () => {});
      socket.pipe(other);
    }
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}/api`, cut: () => open.forEach((socket) => socket.destroy()), close: () => server.close() };
}

function run(...parts) {
  process.exitCode = 1; // what waits for something that can't come any more ends, too
  (async () => {
    for (const part of parts) {
      await part();
      console.log(part.name);
    }
    process.exit(0);
  })().catch((err) => {
    console.error(err);
    process.exit(1);
  });
}

module.exports = { url, api, ws: api.replace("http", "ws"), token, authorization, instance, ask, describe, execution, gate, wire, run };
