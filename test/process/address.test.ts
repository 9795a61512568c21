import { expect, test } from "vitest";
import { urlOf } from "../../src/process/address.js";

test.each([
  ["127.0.0.1", "http://127.0.0.1:80"],
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["::1", "http://[::1]:80"],
  ["::", "http://[::1]:80"],
  ["gateway.local", "http://gateway.local:80"],
])("what listens on %s is reached at %s", (host, url) => {
  expect(urlOf(host, 80)).toBe(url);
});
