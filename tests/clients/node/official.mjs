// The makers' own SDKs for Node.

import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { City, parameters, tools } from "./tools.mjs";

export function openaiChat(to) {
  const client = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: to.key, maxRetries: 0 });
  const asked = (content) => ({ model: to.model, messages: [{ role: "user", content }] });
  const declared = Object.keys(tools).map((name) => ({
    type: "function",
    function: { name, parameters, strict: true },
  }));

  async function converse(text, ask) {
    const { messages } = asked(text);
    for (;;) {
      const said = await ask({ model: to.model, messages, tools: declared });
      if (!said.tool_calls?.length) return said.content;
      messages.push(said);
      for (const { id, function: called } of said.tool_calls) {
        const content = tools[called.name](JSON.parse(called.arguments).city);
        messages.push({ role: "tool", tool_call_id: id, content });
      }
    }
  }

  return {
    async chat(text) {
      const got = await client.chat.completions.create(asked(text));
      return [got.choices[0].message.content, got.usage.prompt_tokens, got.usage.completion_tokens];
    },
    async stream(text) {
      const pieces = [];
      for await (const chunk of await client.chat.completions.create({
        ...asked(text),
        stream: true,
      })) {
        if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
      }
      return pieces;
    },
    tools: (text) =>
      converse(text, async (body) => (await client.chat.completions.create(body)).choices[0].message),
    tools_streamed: (text) =>
      converse(text, (body) => client.chat.completions.stream(body).finalMessage()),
    async structured(text) {
      const format = zodResponseFormat(City, "city");
      const got = await client.chat.completions.parse({ ...asked(text), response_format: format });
      return got.choices[0].message.parsed;
    },
    async picture(text, png) {
      const url = `data:image/png;base64,${png}`;
      const content = [{ type: "text", text }, { type: "image_url", image_url: { url } }];
      return (await client.chat.completions.create(asked(content))).choices[0].message.content;
    },
    async leave(text) {
      for await (const chunk of await client.chat.completions.create({
        ...asked(text),
        stream: true,
      })) {
        // Leaving the loop closes the stream.
        if (chunk.choices[0]?.delta.content) return chunk.choices[0].delta.content;
      }
    },
  };
}

export function openaiResponses(to) {
  const client = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: to.key, maxRetries: 0 });
  const declared = Object.keys(tools).map((name) => ({
    type: "function",
    name,
    parameters,
    strict: true,
  }));

  async function converse(text, ask) {
    const input = [{ role: "user", content: text }];
    for (;;) {
      const said = await ask({ model: to.model, input, tools: declared });
      const calls = said.output.filter((one) => one.type === "function_call");
      if (!calls.length) return said.output_text;
      input.push(...said.output);
      for (const call of calls) {
        const output = tools[call.name](JSON.parse(call.arguments).city);
        input.push({ type: "function_call_output", call_id: call.call_id, output });
      }
    }
  }

  return {
    async chat(text) {
      const got = await client.responses.create({ model: to.model, input: text });
      return [got.output_text, got.usage.input_tokens, got.usage.output_tokens];
    },
    async stream(text) {
      const pieces = [];
      const body = { model: to.model, input: text, stream: true };
      for await (const event of await client.responses.create(body)) {
        if (event.type === "response.output_text.delta") pieces.push(event.delta);
      }
      return pieces;
    },
    tools: (text) => converse(text, (body) => client.responses.create(body)),
    tools_streamed: (text) =>
      converse(text, (body) => client.responses.stream(body).finalResponse()),
    async structured(text) {
      const format = zodTextFormat(City, "city");
      const body = { model: to.model, input: text, text: { format } };
      return (await client.responses.parse(body)).output_parsed;
    },
    async picture(text, png) {
      const picture = { type: "input_image", image_url: `data:image/png;base64,${png}` };
      const content = [{ type: "input_text", text }, { ...picture, detail: "auto" }];
      const input = [{ role: "user", content }];
      return (await client.responses.create({ model: to.model, input })).output_text;
    },
    async leave(text) {
      const body = { model: to.model, input: text, stream: true };
      for await (const event of await client.responses.create(body)) {
        if (event.type === "response.output_text.delta") return event.delta;
      }
    },
  };
}

export function anthropic(to) {
  const client = new Anthropic({ baseURL: to.url, apiKey: to.key, maxRetries: 0 });
  const asked = (content) => ({
    model: to.model,
    max_tokens: 300,
    messages: [{ role: "user", content }],
  });

  async function converse(text, ask) {
    const body = asked(text);
    body.tools = Object.keys(tools).map((name) => ({ name, input_schema: parameters }));
    for (;;) {
      const said = await ask(body);
      const calls = said.content.filter((one) => one.type === "tool_use");
      if (!calls.length) return said.content[0].text;
      const results = calls.map((call) => ({
        type: "tool_result",
        tool_use_id: call.id,
        content: tools[call.name](call.input.city),
      }));
      body.messages.push({ role: "assistant", content: said.content });
      body.messages.push({ role: "user", content: results });
    }
  }

  return {
    async chat(text) {
      const got = await client.messages.create(asked(text));
      const read = got.usage.input_tokens + (got.usage.cache_read_input_tokens ?? 0);
      return [got.content[0].text, read, got.usage.output_tokens];
    },
    async stream(text) {
      const pieces = [];
      const stream = client.messages.stream(asked(text));
      stream.on("text", (piece) => pieces.push(piece));
      await stream.finalMessage();
      return pieces;
    },
    tools: (text) => converse(text, (body) => client.messages.create(body)),
    tools_streamed: (text) => converse(text, (body) => client.messages.stream(body).finalMessage()),
    async structured(text) {
      const body = { ...asked(text), output_config: { format: zodOutputFormat(City) } };
      return (await client.messages.parse(body)).parsed_output;
    },
    async picture(text, png) {
      const source = { type: "base64", media_type: "image/png", data: png };
      const content = [{ type: "image", source }, { type: "text", text }];
      return (await client.messages.create(asked(content))).content[0].text;
    },
    async leave(text) {
      for await (const event of await client.messages.create({ ...asked(text), stream: true })) {
        if (event.type === "content_block_delta") return event.delta.text;
      }
    },
  };
}

export function google(to) {
  const options = { baseUrl: to.url, retryOptions: { attempts: 1 } };
  const client = new GoogleGenAI({ apiKey: to.key, httpOptions: options });
  const functionDeclarations = Object.keys(tools).map((name) => ({
    name,
    parametersJsonSchema: parameters,
  }));

  async function converse(text, ask) {
    const contents = [{ role: "user", parts: [{ text }] }];
    for (;;) {
      const config = { tools: [{ functionDeclarations }] };
      const parts = await ask({ model: to.model, contents, config });
      const calls = parts.filter((one) => one.functionCall).map((one) => one.functionCall);
      if (!calls.length) return parts.map((one) => one.text ?? "").join("");
      const given = calls.map(({ id, name, args }) => ({
        functionResponse: { id, name, response: { output: tools[name](args.city) } },
      }));
      contents.push({ role: "model", parts }, { role: "user", parts: given });
    }
  }

  return {
    async chat(text) {
      const got = await client.models.generateContent({ model: to.model, contents: text });
      const used = got.usageMetadata;
      const written = used.candidatesTokenCount + (used.thoughtsTokenCount ?? 0);
      return [got.text, used.promptTokenCount, written];
    },
    async stream(text) {
      const pieces = [];
      const body = { model: to.model, contents: text };
      for await (const chunk of await client.models.generateContentStream(body)) {
        if (chunk.text) pieces.push(chunk.text);
      }
      return pieces;
    },
    tools: (text) =>
      converse(text, async (body) => {
        const got = await client.models.generateContent(body);
        return got.candidates[0].content.parts;
      }),
    tools_streamed: (text) =>
      converse(text, async (body) => {
        const parts = [];
        for await (const chunk of await client.models.generateContentStream(body)) {
          parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
        }
        return parts;
      }),
    async structured(text) {
      const got = await client.models.generateContent({
        model: to.model,
        contents: text,
        config: {
          responseMimeType: "application/json",
          responseJsonSchema: z.toJSONSchema(City),
        },
      });
      return City.parse(JSON.parse(got.text));
    },
    async picture(text, png) {
      const parts = [{ inlineData: { mimeType: "image/png", data: png } }, { text }];
      const contents = [{ role: "user", parts }];
      return (await client.models.generateContent({ model: to.model, contents })).text;
    },
    async leave(text) {
      // It closes a stream only where a signal tells it to.
      const going = new AbortController();
      const config = { abortSignal: going.signal };
      const body = { model: to.model, contents: text, config };
      for await (const chunk of await client.models.generateContentStream(body)) {
        if (chunk.text) {
          going.abort();
          return chunk.text;
        }
      }
    },
  };
}
