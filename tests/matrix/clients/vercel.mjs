// What Vercel's AI SDK does with every provider of its own.
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import * as h from "./harness.mjs";

const weather = tool({
  description: "The weather.",
  inputSchema: jsonSchema(h.WEATHER),
  execute: ({ city }) => h.weather(city),
});

/** Make all cells of models made by `make(name)`; `thoughts` are the options that let them think. */
export function cells(make, thoughts) {
  const ask = (model, prompt, more = {}) => generateText({ model: make(model), prompt, maxRetries: 0, ...more });

  async function streamed(model, prompt, more = {}) {
    const failures = [];
    const onError = ({ error }) => failures.push(error);
    const result = streamText({ model: make(model), prompt, maxRetries: 0, onError, ...more });
    let text = "";
    for await (const part of result.textStream) text += part;
    if (failures.length) throw failures[0];
    return text;
  }

  const converse = (model, question, more = {}) =>
    streamed(model, question, { tools: { weather }, stopWhen: stepCountIs(2), ...more });

  return {
    plain: async (model) => {
      const answer = await ask(model, h.HELLO, { system: "Be short." });
      h.same([answer.text, answer.finishReason, answer.usage.totalTokens > 0], [h.TEXT, "stop", true]);
    },
    stream: async (model) => h.same(await streamed(model, h.HELLO), h.TEXT),
    tools: async (model) => h.told(model, await converse(model, h.ROME), ["Rome"]),
    "parallel tools": async (model) => h.told(model, await converse(model, h.BOTH), ["Rome", "Oslo"]),
    image: async (model) => {
      const content = [{ type: "text", text: h.LOOK }, { type: "image", image: h.picture(), mediaType: "image/png" }];
      const answer = await ask(model, undefined, { messages: [{ role: "user", content }] });
      h.pictured(model, answer.text);
    },
    "structured output": async (model) => {
      const output = Output.object({ schema: jsonSchema(h.PERSON) });
      h.person(model, (await ask(model, h.WHO, { output })).output);
    },
    thinking: async (model) =>
      h.told(model, await converse(model, h.ROME, { providerOptions: thoughts }), ["Rome"], true),
    error: async (model) => {
      const error = await h.refuses(() => ask(model, h.FAIL), Error, h.BUSY);
      h.same(error.statusCode, 429);
    },
    "cut stream": async (model) => h.broken(await h.refuses(() => streamed(model, h.BREAK_OFF), Object)),
  };
}
