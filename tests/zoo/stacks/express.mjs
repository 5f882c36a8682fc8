// Express: one event loop; its body parser runs before the handlers.
import express from "express";
import { setTimeout as sleep } from "node:timers/promises";

const app = express();
const carts = new Map();
let made = 0;

app.use(express.json());
app.get("/carts", (_request, response) => {
  response.json({ items: [...carts].map(([id, name]) => ({ id, name })) });
});
app.post("/carts", (request, response) => {
  const id = `c${(made += 1)}`;
  carts.set(id, request.body.name);
  response.status(201).json({ id, name: request.body.name });
});
app.use("/carts/:id", (request, response, next) => {
  if (carts.has(request.params.id)) next();
  else response.status(404).json({ error: "gone" });
});
app.get("/carts/:id", (request, response) => {
  response.json({ id: request.params.id, name: carts.get(request.params.id) });
});
app.patch("/carts/:id", async (request, response) => {
  if (request.get("x-racy")) await sleep(3);
  carts.set(request.params.id, request.body.name);
  response.json({ id: request.params.id, name: request.body.name });
});
app.delete("/carts/:id", async (request, response) => {
  if (request.get("x-racy")) await sleep(3);
  carts.delete(request.params.id);
  response.status(204).end();
});
app.listen(Number(process.env.PORT), "127.0.0.1");
