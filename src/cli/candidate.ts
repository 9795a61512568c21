import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Candidate, CandidateCreate, CandidateUpdate } from "../control/api.js";
import { UnderstudyError } from "../errors.js";
import { durationOrNone, numberOrNone, wholeNumber } from "./options.js";

interface Options {
  model?: string;
  version?: string;
  concurrency?: number;
  rate?: number | null;
  deadline?: number | null;
  maxAge?: number | null;
  retries?: number;
  backfill?: true | number;
  newRevision?: boolean;
  json?: boolean;
}

/** `understudy candidate`: registers a version under test, or changes how it is loaded. */
export function candidateCommand(): Command {
  return new Command("candidate")
    .description(
      "register a candidate: a version under test, to which captured requests are replayed; or, without a URL, " +
        "change how a known one is loaded",
    )
    .argument("<deployment>", "name of the deployment")
    .argument("<name>", "name of the candidate")
    .argument("[url]", "V2 endpoint without /v2, or onnx:PATH under the models folder")
    .option("--model <name>", "name of the model there (default: the primary's)")
    .option("--version <version>", "version of the model there")
    .option("--concurrency <n>", "requests in flight at a time, in each worker (default: 1)", wholeNumber)
    .option("--rate <n>", "requests a second at most, in each worker; none: no limit", numberOrNone)
    .option(
      "--deadline <duration>",
      "for one request, such as 2s; none: as the worker is set",
      durationOrNone,
    )
    .option(
      "--max-age <duration>",
      "captures older than this expire, such as 6h; none: never",
      durationOrNone,
    )
    .option("--retries <n>", "further attempts after a refused connection, 429 or 503", wholeNumber)
    .option(
      "--backfill [duration]",
      "take what was captured before as well: all, or as of so long ago",
      since,
    )
    .option(
      "--new-revision",
      "what answers at this URL is another model than before, whatever it says: begin a new run",
    )
    .option("--json", "print the candidate as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  understudy candidate digits int8 http://127.0.0.1:9001 --version 2" +
        "\n  understudy candidate digits int8 --concurrency 4 --rate 50 --max-age 6h",
    )
    .action(async (deployment: string, name: string, url: string | undefined, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const path = `/deployments/${encodeURIComponent(deployment)}/candidates`;
      const candidate =
        url === undefined
          ? await api.patch<Candidate>(`${path}/${encodeURIComponent(name)}`, changeOf(options))
          : await api.post<Candidate>(path, registrationOf(name, url, options));
      for (const warning of candidate.warnings) process.stderr.write(`warning: ${warning}\n`);
      const done = url === undefined ? "changed" : "registered";
      process.stdout.write(
        options.json
          ? `${JSON.stringify(candidate)}\n`
          : `${done} candidate ${candidate.name} of ${candidate.deployment}: live run ${candidate.run}\n` +
              "next: understudy status\n",
      );
    });
}

/** `--backfill` without a duration, or since when. */
function since(text: string | true): true | number {
  if (text === true) return true;
  const ms = durationOrNone(text);
  return ms === null ? true : Date.now() - ms;
}

function registrationOf(name: string, url: string, options: Options): CandidateCreate {
  const { model, version, backfill, newRevision } = options;
  const flow = flowOf(options);
  return {
    name,
    url,
    ...(model === undefined ? {} : { model }),
    ...(version === undefined ? {} : { version }),
    ...(newRevision === undefined ? {} : { newRevision }),
    ...(Object.keys(flow).length === 0 ? {} : { flow }),
    ...(backfill === undefined ? {} : { backfill: backfill === true ? true : { since: backfill } }),
  };
}

function changeOf(options: Options): CandidateUpdate {
  const flow = flowOf(options);
  const forUrl = (["model", "version", "backfill", "newRevision"] as const).filter(
    (option) => options[option] !== undefined,
  );
  if (forUrl.length > 0 || Object.keys(flow).length === 0) {
    throw new UnderstudyError(
      "usage",
      forUrl.length > 0 ? `${flagOf(forUrl[0]!)} needs the candidate's URL` : "There is nothing to change",
      {
        hint: "Give the URL to register the candidate, or --concurrency and the like to change how it is loaded.",
      },
    );
  }
  return { flow };
}

const flagOf = (option: string) => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function flowOf({ concurrency, rate, deadline, maxAge, retries }: Options): CandidateUpdate["flow"] {
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(rate === undefined ? {} : { ratePerSecond: rate }),
    ...(deadline === undefined ? {} : { deadlineMs: deadline }),
    ...(maxAge === undefined ? {} : { maxAgeMs: maxAge }),
    ...(retries === undefined ? {} : { retries: { max: retries } }),
  };
}
