// The Vercel AI SDK, which calls tools by itself.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { City, tools } from "./tools.mjs";

const declared = Object.fromEntries(
  Object.entries(tools).map(([name, run]) => [
    name,
    tool({
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => run(city),
    }),
  ]),
);

function asking(model) {
  const common = { model, maxRetries: 0 };
  const turns = { tools: declared, stopWhen: stepCountIs(5) };
  return {
    async chat(text) {
      const got = await generateText({ ...common, prompt: text });
      return [got.text, got.usage.inputTokens, got.usage.outputTokens];
    },
    async stream(text) {
      const pieces = [];
      const got = streamText({ ...common, prompt: text });
      for await (const piece of got.textStream) pieces.push(piece);
      return pieces;
    },
    async tools(text) {
      return (await generateText({ ...common, ...turns, prompt: text })).text;
    },
    async tools_streamed(text) {
      return await streamText({ ...common, ...turns, prompt: text }).text;
    },
    async structured(text) {
      const output = Output.object({ schema: City });
      return (await generateText({ ...common, output, prompt: text })).output;
    },
    async picture(text, png) {
      const picture = { type: "image", image: png, mediaType: "image/png" };
      const content = [{ type: "text", text }, picture];
      return (await generateText({ ...common, messages: [{ role: "user", content }] })).text;
    },
    async leave(text) {
      const going = new AbortController();
      const got = streamText({ ...common, prompt: text, abortSignal: going.signal });
      for await (const piece of got.textStream) {
        going.abort();
        return piece;
      }
    },
  };
}

const root = (to, version) => ({ baseURL: `${to.url}/${version}`, apiKey: to.key });

export const vercelChat = (to) => asking(createOpenAI(root(to, "v1")).chat(to.model));
export const vercelResponses = (to) => asking(createOpenAI(root(to, "v1")).responses(to.model));
export const vercelAnthropic = (to) => asking(createAnthropic(root(to, "v1"))(to.model));
export const vercelGoogle = (to) => asking(createGoogleGenerativeAI(root(to, "v1beta"))(to.model));
