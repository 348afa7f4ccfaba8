// Vercel's AI SDK with its provider for OpenAI, over the Responses API, which is its default.
import { createOpenAI } from "@ai-sdk/openai";
import * as h from "./harness.mjs";
import { cells } from "./vercel.mjs";

const openai = createOpenAI({ baseURL: `${h.url}/v1`, apiKey: h.key });
const thoughts = {
  openai: {
    reasoningEffort: "low",
    reasoningSummary: "auto",
    store: false,
    include: ["reasoning.encrypted_content"],
    forceReasoning: true,
  },
};
await h.main(cells((model) => openai(model), thoughts));
