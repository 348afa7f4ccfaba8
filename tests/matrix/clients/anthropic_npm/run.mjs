// Anthropic's official SDK for JavaScript.
import Anthropic from "@anthropic-ai/sdk";
import * as h from "./harness.mjs";

const client = new Anthropic({ baseURL: h.url, apiKey: h.key, maxRetries: 0, timeout: 20_000 });
const tools = [{ name: "weather", description: "The weather.", input_schema: h.WEATHER }];
const user = (content) => ({ role: "user", content });
const body = (model, messages, more = {}) => ({ model, max_tokens: 4096, messages, ...more });
const create = (model, messages, more) => client.messages.create(body(model, messages, more));
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

async function converse(model, question, cities, more = {}) {
  const first = await client.messages.stream(body(model, [user(question)], { tools, ...more })).finalMessage();
  h.same(first.stop_reason, "tool_use");
  const calls = first.content.filter((block) => block.type === "tool_use");
  h.same(calls.map((call) => call.name), cities.map(() => "weather"));
  const results = calls.map((call, place) => ({
    type: "tool_result",
    tool_use_id: call.id,
    content: h.weather(cities[place]),
  }));
  const turns = [user(question), { role: "assistant", content: first.content }, user(results)];
  return textOf(await create(model, turns, { tools, ...more }));
}

await h.main({
  plain: async (model) => {
    const answer = await create(model, [user(h.HELLO)], { system: "Be short." });
    h.same([textOf(answer), answer.stop_reason], [h.TEXT, "end_turn"]);
  },
  stream: async (model) => {
    const stream = client.messages.stream(body(model, [user(h.HELLO)]));
    let text = "";
    stream.on("text", (part) => (text += part));
    const final = await stream.finalMessage();
    h.same([text, textOf(final), final.stop_reason], [h.TEXT, h.TEXT, "end_turn"]);
  },
  tools: async (model) => h.told(model, await converse(model, h.ROME, ["Rome"]), ["Rome"]),
  "parallel tools": async (model) =>
    h.told(model, await converse(model, h.BOTH, ["Rome", "Oslo"]), ["Rome", "Oslo"]),
  image: async (model) => {
    const source = { type: "base64", media_type: "image/png", data: h.picture().toString("base64") };
    const parts = [{ type: "image", source }, { type: "text", text: h.LOOK }];
    h.pictured(model, textOf(await create(model, [user(parts)])));
  },
  "structured output": async (model) => {
    const output_config = { format: { type: "json_schema", schema: h.PERSON } };
    h.person(model, JSON.parse(textOf(await create(model, [user(h.WHO)], { output_config }))));
  },
  thinking: async (model) => {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    h.told(model, await converse(model, h.ROME, ["Rome"], { thinking }), ["Rome"], true);
  },
  error: async (model) => {
    await h.refuses(() => create(model, [user(h.FAIL)]), Anthropic.RateLimitError, h.BUSY);
  },
  "cut stream": async (model) => {
    const read = () => client.messages.stream(body(model, [user(h.BREAK_OFF)])).finalMessage();
    h.broken(await h.refuses(read, Error));
  },
});
