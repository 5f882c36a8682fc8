// Fastify: one event loop; a hook looks the cart up when the head is in, before the body is read.
import Fastify from "fastify";
import { setTimeout as sleep } from "node:timers/promises";

const app = Fastify();
const carts = new Map();
let made = 0;
const isRacy = (request) => "x-racy" in request.headers;
const exists = async (request, reply) => {
  if (!carts.has(request.params.id)) return reply.code(404).send({ error: "gone" });
};

app.get("/carts", async () => ({ items: [...carts].map(([id, name]) => ({ id, name })) }));
app.post("/carts", async (request, reply) => {
  const id = (made += 1);
  carts.set(String(id), request.body.name);
  return reply.code(201).send({ id, name: request.body.name });
});
app.get("/carts/:id", async (request, reply) => {
  const name = carts.get(request.params.id);
  if (name === undefined) return reply.code(404).send({ error: "gone" });
  return { id: Number(request.params.id), name };
});
app.patch("/carts/:id", { onRequest: exists }, async (request) => {
  const { id } = request.params;
  if (isRacy(request)) await sleep(3);
  if (carts.has(id) || isRacy(request)) carts.set(id, request.body.name); // UPDATE … WHERE id = …
  return { id: Number(id), name: request.body.name };
});
app.delete("/carts/:id", async (request, reply) => {
  const { id } = request.params;
  if (!carts.has(id)) return reply.code(404).send({ error: "gone" });
  if (isRacy(request)) await sleep(3);
  carts.delete(id);
  return reply.code(204).send();
});
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
