/**
 * A file is not what can be compared. The message says what was expected and what was found, and holds nothing of the
 * file that is not printable ASCII.
 */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
