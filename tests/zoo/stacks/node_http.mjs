// Node's own http: one event loop; looks when the head is in, changes when the body is.
import http from "node:http";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const carts = new Map();
const shown = ([id, name]) => ({ id, name });

async function bodyOf(request) {
  let text = "";
  for await (const part of request) text += part;
  return JSON.parse(text);
}

function say(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

const server = http.createServer(async (request, response) => {
  const [, , id] = request.url.split("/");
  const racy = "x-racy" in request.headers;
  if (id === undefined) {
    if (request.method === "GET") return say(response, 200, { items: [...carts].map(shown) });
    const { name } = await bodyOf(request);
    const made = randomUUID();
    carts.set(made, name);
    return say(response, 201, { id: made, name });
  }
  if (!carts.has(id)) return say(response, 404, { error: "gone" });
  if (request.method === "GET") return say(response, 200, shown([id, carts.get(id)]));
  if (request.method === "DELETE") {
    if (racy) await sleep(3);
    carts.delete(id);
    return say(response, 204);
  }
  const { name } = await bodyOf(request);
  if (racy) await sleep(3);
  if (carts.has(id) || racy) carts.set(id, name); // UPDATE … WHERE id = …
  return say(response, 200, { id, name });
});
server.listen(Number(process.env.PORT), "127.0.0.1");
