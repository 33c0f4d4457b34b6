// Asks the gateway as it is told: a JSON object a line in, and out what came of it.

import { createInterface } from "node:readline";
import { anthropic, google, openaiChat, openaiResponses } from "./official.mjs";
import { vercelAnthropic, vercelChat, vercelGoogle, vercelResponses } from "./vercel.mjs";

// What they have to say beside is not what they are asked for.
console.log = console.info = console.warn = console.error;

const clients = {
  "openai-node-chat": openaiChat,
  "openai-node-responses": openaiResponses,
  "anthropic-node": anthropic,
  "google-genai-node": google,
  "vercel-openai-chat": vercelChat,
  "vercel-openai-responses": vercelResponses,
  "vercel-anthropic": vercelAnthropic,
  "vercel-google": vercelGoogle,
};

// What an error is, or what it was made of: some are wrapped once more.
function described(error) {
  for (let one = error; one; one = one.lastError ?? one.cause) {
    const status = one.statusCode ?? one.status;
    if (Number.isInteger(status)) {
      return { kind: one.constructor.name, status, message: one.responseBody ?? one.message };
    }
  }
  return { kind: error.constructor.name, status: 0, message: String(error.stack) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { client, operation, to, text, png } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await clients[client](to)[operation](text, png) };
  } catch (error) {
    answer = { error: described(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
