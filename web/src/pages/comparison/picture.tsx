import type { TensorValues } from "../../../../src/control/api.js";
import { visible } from "../../format";

/** One H × W plane of a tensor, as shades from 0 (its smallest value) to 255. */
export interface Plane {
  /** Place in the batch. */
  index: number;
  height: number;
  width: number;
  shades: number[];
}

const sideMax = 64;
const picturesMax = 8;

/** Planes of a tensor that looks like grey images: [H, W], [1, H, W], [N, 1, H, W]; empty for any other. */
export function picturesOf({ shape, values }: TensorValues): Plane[] {
  const [height = 0, width = 0] = shape.slice(-2);
  const channels = shape.length < 3 ? 1 : shape.at(-3);
  const isImage =
    shape.length >= 2 &&
    shape.length <= 4 &&
    channels === 1 &&
    [height, width].every((side) => side >= 4 && side <= sideMax) &&
    values.every((value) => typeof value === "number");
  if (!isImage) return [];
  const size = height * width;
  const planes = Math.min(Math.floor(values.length / size), picturesMax);
  return Array.from({ length: planes }, (_, index) => {
    const plane = values.slice(index * size, (index + 1) * size) as number[];
    const low = Math.min(...plane);
    const span = Math.max(...plane) - low || 1;
    return { index, height, width, shades: plane.map((value) => Math.round(((value - low) / span) * 255)) };
  });
}

/** A plane in grey; the largest value is white. */
export function Picture({ picture, name }: { picture: Plane; name: string }) {
  const { index, height, width, shades } = picture;
  return (
    <svg
      className="picture"
      viewBox={`0 0 ${width} ${height}`}
      shapeRendering="crispEdges"
      role="img"
      aria-label={`${visible(name)}, image ${index + 1}, ${height} by ${width} values in grey`}
    >
      <rect width={width} height={height} fill="rgb(0,0,0)" />
      {shades.map((shade, at) =>
        shade === 0 ? null : (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a pixel is its place
            key={at}
            x={at % width}
            y={Math.floor(at / width)}
            width="1"
            height="1"
            fill={`rgb(${shade},${shade},${shade})`}
          />
        ),
      )}
    </svg>
  );
}
