// Vercel's AI SDK with its provider for Anthropic.
import { createAnthropic } from "@ai-sdk/anthropic";
import * as h from "./harness.mjs";
import { cells } from "./vercel.mjs";

const anthropic = createAnthropic({ baseURL: `${h.url}/v1`, apiKey: h.key });
const thoughts = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };
await h.main(cells((model) => anthropic(model), thoughts));
