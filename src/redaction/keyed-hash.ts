import { createHmac } from "node:crypto";

/** Bytes of a hash that are kept: 128 bits, so that two values never meet by chance. */
const hashBytes = 16;

/** Turns values into words that only who has the key can tie to them: HMAC-SHA256, cut to 128 bits. */
export interface KeyedHash {
  /** Of a redacted value, in 32 hexadecimal digits. */
  value(bytes: Uint8Array | string): string;
  /** Of whom a request belongs to; never equal to that of a value. */
  subject(name: Uint8Array | string): string;
}

/**
 * Each deployment hashes with a key of its own, so that its words mean nothing beside another's.
 * @param key `UNDERSTUDY_REDACTION_KEY`
 */
export function keyedHash(key: string, deploymentId: number): KeyedHash {
  const hasher = (use: "value" | "subject") => {
    const own = createHmac("sha256", key).update(`understudy ${use} ${deploymentId}`).digest();
    return (bytes: Uint8Array | string) =>
      createHmac("sha256", own).update(bytes).digest().subarray(0, hashBytes).toString("hex");
  };
  return { value: hasher("value"), subject: hasher("subject") };
}
