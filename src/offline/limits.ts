/** How much a file may ask for. Each is checked before the memory is taken. */
export interface Limits {
  /** Size of a file. */
  fileBytesMax: number;
  /** Sum of the sizes of an .npz file's members once inflated. */
  inflatedBytesMax: number;
  /** JSON of a V2 response. Its values take up to twenty times their text in memory. */
  jsonBytesMax: number;
  /** Elements of one tensor of strings, each of which is an object in memory. */
  textElementsMax: number;
}

export const limits: Limits = {
  fileBytesMax: 2 * 1024 ** 3,
  inflatedBytesMax: 2 * 1024 ** 3,
  jsonBytesMax: 64 * 1024 ** 2,
  textElementsMax: 2 * 1024 ** 2,
};
