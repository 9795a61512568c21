import { describe, expect, test } from "vitest";
import { parseJsonPath, placesOf } from "../../src/redaction/json-path.js";

const document = {
  user: { email: "a@b", "first name": "A", friends: [{ email: "c@d" }, { email: "e@f", age: 3 }] },
  instances: [{ text: "x" }, { text: "y" }, 7],
  list: [10, 20, 30],
};

describe("places", () => {
  test.each([
    ["$.user.email", ["user/email"]],
    ["$['user']['first name']", ["user/first name"]],
    ['$["user"].email', ["user/email"]],
    ["$.list[1]", ["list/1"]],
    ["$.list[9]", []],
    ["$.list[*]", ["list/0", "list/1", "list/2"]],
    ["$.instances[*].text", ["instances/0/text", "instances/1/text"]],
    ["$.user.friends.*.age", ["user/friends/1/age"]],
    ["$..email", ["user/email", "user/friends/0/email", "user/friends/1/email"]],
    ["$.user..email", ["user/email", "user/friends/0/email", "user/friends/1/email"]],
    ["$.no.such", []],
    ["$.toString", []],
    ["$.user[0]", []],
  ])("%s", (path, expected) => {
    const steps = parseJsonPath(path);
    if (typeof steps === "string") throw new Error(steps);
    expect(placesOf(document, steps).map(({ way }) => way.join("/"))).toEqual(expected);
  });
});

test.each([
  "",
  "user",
  "$",
  "$.",
  "$user",
  "$.a[",
  "$.a[-1]",
  "$.a[?(@.x)]",
  "$.a b",
  "$[a]",
  "$..",
  `$${".a".repeat(33)}`,
])("%s is refused, with a reason", (path) => {
  expect(parseJsonPath(path)).toMatch(/^(?:must|cannot)/);
});
