import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { messageOf, UnderstudyError } from "../errors.js";

/**
 * The certificates of authorities to trust: Node's own, and those of a file in PEM. undefined: Node's own alone.
 * There is no setting that trusts everybody.
 *
 * @throws UnderstudyError `config_invalid` when the file cannot be read or holds no certificate
 */
export function readAuthorities(path: string | undefined): string[] | undefined {
  if (path === undefined) return undefined;
  try {
    const pem = readFileSync(path, "utf8");
    // Reads the first one, and throws when there is none; OpenSSL would pass over a file of anything in silence.
    new X509Certificate(pem);
    return [...rootCertificates, pem];
  } catch (error) {
    throw new UnderstudyError("config_invalid", `UNDERSTUDY_CA_FILE cannot be used: ${messageOf(error)}`, {
      hint: "Name a file of certificates in PEM: one block of BEGIN CERTIFICATE for each authority.",
    });
  }
}
