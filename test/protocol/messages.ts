import fc from "fast-check";
import type { InferRequest, InferResponse, InferTensor } from "../../src/protocol/infer.js";
import { elementBytes, elementCount } from "../../src/tensor/dtype.js";
import { type Datatype, datatypes } from "../../src/tensor/tensor.js";
import { typedView } from "../../src/tensor/view.js";

/** The wire form of BYTES elements. */
export function bytesData(elements: readonly Uint8Array[]): Uint8Array {
  const parts = elements.flatMap((element) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(element.length);
    return [length, element];
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** JSON has one NaN: payloads and signs of NaN are not kept by it. */
function withPlainNans(tensor: InferTensor): InferTensor {
  if (tensor.datatype === "FP32" || tensor.datatype === "FP64") {
    const view = typedView({ ...tensor, datatype: tensor.datatype });
    view.forEach((value, index) => {
      if (Number.isNaN(value)) view[index] = NaN;
    });
    return { ...tensor, data: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) };
  }
  return tensor;
}

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

function data(datatype: Datatype, count: number): fc.Arbitrary<Uint8Array> {
  const bytes = elementBytes(datatype);
  if (bytes === null) {
    const element = fc.oneof(
      fc.uint8Array({ maxLength: 9 }),
      fc.string().map((text) => new TextEncoder().encode(text)),
    );
    return fc.array(element, { minLength: count, maxLength: count }).map(bytesData);
  }
  const max = datatype === "BOOL" ? 1 : 255;
  return fc.uint8Array({ minLength: count * bytes, maxLength: count * bytes, max });
}

const parameters = fc.dictionary(
  fc.constantFrom("priority", "sequence_id", "note", "constructor"),
  fc.oneof(fc.string(), fc.boolean(), fc.integer(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n })),
  { noNullPrototype: true },
);

const tensor: fc.Arbitrary<InferTensor> = fc
  .tuple(fc.string({ minLength: 1 }), fc.constantFrom(...datatypes), shape, parameters)
  .chain(([name, datatype, dimensions, own]) =>
    data(datatype, elementCount(dimensions)).map((bytes) =>
      withPlainNans({ name, datatype, shape: dimensions, parameters: own, data: bytes }),
    ),
  );

const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 4 });
const id = fc.option(fc.string(), { nil: undefined }).map((text) => (text === undefined ? {} : { id: text }));

/** Any request that the codec can write. */
export const anyRequest: fc.Arbitrary<InferRequest> = fc
  .tuple(
    id,
    fc.record({
      parameters,
      inputs: tensors,
      outputs: fc.array(fc.record({ name: fc.string({ minLength: 1 }), parameters }), { maxLength: 2 }),
    }),
  )
  .map(([idField, rest]) => ({ ...idField, ...rest }));

/** Any response that the codec can write. */
export const anyResponse: fc.Arbitrary<InferResponse> = fc
  .tuple(id, fc.record({ modelName: fc.string(), modelVersion: fc.string(), parameters, outputs: tensors }))
  .map(([idField, rest]) => ({ ...idField, ...rest }));
