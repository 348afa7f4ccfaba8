// OpenAI's official SDK for JavaScript, chat completions.
import OpenAI from "openai";
import * as h from "./harness.mjs";

const client = new OpenAI({ baseURL: `${h.url}/v1`, apiKey: h.key, maxRetries: 0, timeout: 20_000 });
const tools = [{ type: "function", function: { name: "weather", description: "The weather.", parameters: h.WEATHER } }];
const user = (content) => ({ role: "user", content });
const create = (model, messages, more = {}) => client.chat.completions.create({ model, messages, ...more });
const textOf = (answer) => answer.choices[0].message.content;

async function converse(model, question, cities, more = {}) {
  const runner = client.chat.completions.stream({ model, messages: [user(question)], tools, ...more });
  const first = (await runner.finalChatCompletion()).choices[0];
  h.same(first.finish_reason, "tool_calls");
  const said = JSON.parse(JSON.stringify(first.message));
  delete said.parsed;
  for (const call of said.tool_calls) delete call.function.parsed_arguments;
  h.same(said.tool_calls.map((call) => call.function.name), cities.map(() => "weather"));
  const results = said.tool_calls.map((call, place) => ({
    role: "tool",
    tool_call_id: call.id,
    content: h.weather(cities[place]),
  }));
  return textOf(await create(model, [user(question), said, ...results], { tools, ...more }));
}

await h.main({
  plain: async (model) => {
    const answer = await create(model, [{ role: "developer", content: "Be short." }, user(h.HELLO)]);
    h.same([textOf(answer), answer.choices[0].finish_reason], [h.TEXT, "stop"]);
  },
  stream: async (model) => {
    let text = "";
    let usage;
    const more = { stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await create(model, [user(h.HELLO)], more)) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    h.same([text, usage.total_tokens > 0], [h.TEXT, true]);
  },
  tools: async (model) => h.told(model, await converse(model, h.ROME, ["Rome"]), ["Rome"]),
  "parallel tools": async (model) =>
    h.told(model, await converse(model, h.BOTH, ["Rome", "Oslo"]), ["Rome", "Oslo"]),
  image: async (model) => {
    const image_url = { url: `data:image/png;base64,${h.picture().toString("base64")}` };
    const parts = [{ type: "text", text: h.LOOK }, { type: "image_url", image_url }];
    h.pictured(model, textOf(await create(model, [user(parts)])));
  },
  "structured output": async (model) => {
    const json_schema = { name: "person", strict: true, schema: h.PERSON };
    const answer = await create(model, [user(h.WHO)], { response_format: { type: "json_schema", json_schema } });
    h.person(model, JSON.parse(textOf(answer)));
  },
  thinking: async (model) =>
    h.told(model, await converse(model, h.ROME, ["Rome"], { reasoning_effort: "low" }), ["Rome"], true),
  error: async (model) => {
    await h.refuses(() => create(model, [user(h.FAIL)]), OpenAI.RateLimitError, h.BUSY);
  },
  "cut stream": async (model) => {
    const read = async () => {
      for await (const _ of await create(model, [user(h.BREAK_OFF)], { stream: true }));
    };
    h.broken(await h.refuses(read, Error));
  },
});
