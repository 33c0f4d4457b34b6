// The tools that conversations call, and the schema of a structured answer.

import { z } from "zod";

export const tools = {
  weather: (city) => `sunny in ${city}`,
  time: (city) => `noon in ${city}`,
};
export const parameters = {
  type: "object",
  properties: { city: { type: "string", description: "its name" } },
  required: ["city"],
  additionalProperties: false,
};
export const City = z.object({
  name: z.string(),
  degrees: z.number().int(),
  tags: z.array(z.string()),
});
