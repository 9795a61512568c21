import {
  DeleteObjectCommand,
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { UnderstudyError } from "../errors.js";
import type { BlobStore } from "./blobs.js";
import { checkKey } from "./key.js";

/** A store that does not take a connection, or falls silent, is away: the callers wait and try again later. */
const connectMs = 3_000;
const silenceMs = 20_000;
/** Attempts of one operation, with the SDK's backoff between them. */
const attemptsMax = 3;

/**
 * Blobs as objects of a bucket. An object appears as a whole or not at all, which S3 itself guarantees.
 * @param url `s3://bucket` or `s3://bucket/prefix`
 * @param endpoint an S3-compatible server other than AWS' own; buckets are then named in the path, not in the host
 */
export function createS3Store(url: string, endpoint: string | undefined): BlobStore {
  const { host: Bucket, pathname } = new URL(url);
  const prefix = pathname.replace(/^\/+|\/+$/g, "");
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    maxAttempts: attemptsMax,
    requestHandler: { connectionTimeout: connectMs, socketTimeout: silenceMs },
    // Compatible servers need not know the newer checksums; every blob's SHA-256 is checked by its reader.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });

  function objectOf(key: string) {
    checkKey(key);
    return { Bucket, Key: prefix === "" ? key : `${prefix}/${key}` };
  }

  return {
    async put(key, bytes) {
      await client.send(new PutObjectCommand({ ...objectOf(key), Body: bytes, ContentLength: bytes.length }));
    },

    async get(key) {
      try {
        const { Body } = await client.send(new GetObjectCommand(objectOf(key)));
        return Buffer.from(await Body!.transformToByteArray());
      } catch (error) {
        if (!(error instanceof NoSuchKey)) throw error;
        throw new UnderstudyError("blob_missing", `No blob ${key}`, { cause: error });
      }
    },

    async delete(key) {
      await client.send(new DeleteObjectCommand(objectOf(key)));
    },
  };
}
