/** A file that cannot be played; the message says what is wrong and what helps. */
export class HstError extends Error {
  override name = "HstError";
}
