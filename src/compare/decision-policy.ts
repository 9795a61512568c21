import { z } from "zod";

const number = z.number({ error: "must be a number" });

const atMost = z
  .number({ error: "must be a whole number" })
  .int("must be a whole number")
  .min(1, "must be at least 1")
  .max(1000, "must be at most 1000");

const ordered = z.boolean({ error: "must be true or false" });

/** A place in a row of boxes, after the four coordinates. */
const column = z
  .number({ error: "must be a whole number" })
  .int("must be a whole number")
  .min(4, "must be at least 4: columns 0 to 3 are the box")
  .max(65_535, "must be at most 65535");

const boxes = z
  .strictObject({
    type: z.literal("boxes"),
    iou: number.gt(0, "must be more than 0").max(1, "must be at most 1").default(0.5),
    format: z.enum(["xyxy", "xywh", "cxcywh"], { error: "must be xyxy, xywh or cxcywh" }).default("xyxy"),
    scores: column.optional(),
    scoreMin: number.optional(),
    classes: column.optional(),
  })
  .refine(({ scores, scoreMin }) => scoreMin === undefined || scores !== undefined, {
    path: ["scoreMin"],
    error: 'needs "scores", the column that it is about',
  })
  .refine(({ scores, classes }) => scores === undefined || scores !== classes, {
    path: ["classes"],
    error: "must be another column than scores",
  });

export const decisionSchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("argmax") }),
    z.strictObject({ type: z.literal("topk"), k: atMost, ordered: ordered.optional() }),
    z.strictObject({ type: z.literal("threshold"), value: number }),
    z.strictObject({
      type: z.literal("classification"),
      k: atMost.default(1),
      ordered: ordered.optional(),
    }),
    boxes,
  ],
  { error: 'must have a "type" of argmax, topk, threshold, classification or boxes' },
);

/**
 * What an output decides, for whoever acts on it.
 *
 * - `argmax`: per row of the last axis, the place of the highest score.
 * - `topk`: per row, the places of the k highest, as a set, or in their order when `ordered`.
 * - `threshold`: per element, `above` (≥ value) or `below`.
 * - `classification`: per row of a BYTES output, the first k of Triton's `value:index:label` entries, by index and
 *   label; as a set, or in order when `ordered`.
 * - `boxes`: per image, which boxes there are. The output is `[…, boxes, columns]`; columns 0 to 3 are the box, as two
 *   corners (`xyxy`), a corner and the size (`xywh`) or the centre and the size (`cxcywh`), as torchvision's
 *   `box_convert` names them; `scores` and `classes` name further columns. A box of one side
 *   goes with one of the other, of the same class, where their intersection over union is at least `iou`.
 */
export type DecisionPolicy = z.infer<typeof decisionSchema>;
export type BoxesPolicy = DecisionPolicy & { type: "boxes" };
