import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createS3Store } from "../../src/blobs/s3-store.js";
import { conformance } from "./conformance.js";
import { s3ServerThere, startS3Server } from "./s3-server.js";

function useEnvironment(env: Record<string, string>): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
}

describe.runIf(s3ServerThere())("S3", () => {
  conformance("a bucket", async () => {
    const server = await startS3Server();
    useEnvironment(server.env);
    const client = new S3Client({ forcePathStyle: true });
    return {
      blobs: createS3Store(`s3://${server.bucket}/some/prefix`, server.url),
      async keys() {
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: server.bucket }));
        return Contents.map(({ Key }) => Key!.replace("some/prefix/", ""));
      },
      async stop() {
        client.destroy();
        await server.stop();
        vi.unstubAllEnvs();
      },
    };
  });

  describe("what goes wrong is an error, and nothing is stored", () => {
    afterEach(() => {
      vi.unstubAllEnvs();
    });

    test("a bucket that is not there", async () => {
      const server = await startS3Server();
      useEnvironment(server.env);
      const blobs = createS3Store("s3://no-such-bucket", server.url);
      await expect(blobs.put("a/b", Buffer.from("x"))).rejects.toThrow(/bucket does not exist/);
      // Not `blob_missing`: that would say that a blob was lost, where a setting is wrong.
      await expect(blobs.get("a/b")).rejects.not.toMatchObject({ code: "blob_missing" });
      await server.stop();
    });

    test("the wrong key", async () => {
      const server = await startS3Server();
      useEnvironment({ ...server.env, AWS_SECRET_ACCESS_KEY: "wrong" });
      const blobs = createS3Store(`s3://${server.bucket}`, server.url);
      await expect(blobs.put("a/b", Buffer.from("x"))).rejects.toMatchObject({
        name: "SignatureDoesNotMatch",
      });
      await server.stop();
    });

    test("a server that went away", async () => {
      const server = await startS3Server();
      useEnvironment(server.env);
      const blobs = createS3Store(`s3://${server.bucket}`, server.url);
      await blobs.put("a/b", Buffer.from("x"));
      await server.stop();
      await expect(blobs.get("a/b")).rejects.toThrow(/ECONNREFUSED|socket hang up|ECONNRESET/);
    });
  });
});
