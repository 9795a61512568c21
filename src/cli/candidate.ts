import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Candidate } from "../control/api.js";

interface Options {
  model?: string;
  version?: string;
  json?: boolean;
}

/** `understudy candidate`: registers a version under test. */
export function candidateCommand(): Command {
  return new Command("candidate")
    .description("register a candidate: a version under test, to which captured requests are replayed")
    .argument("<deployment>", "name of the deployment")
    .argument("<name>", "name of the candidate")
    .argument("<url>", "V2 endpoint without /v2, or onnx:PATH under the models folder")
    .option("--model <name>", "name of the model there (default: the primary's)")
    .option("--version <version>", "version of the model there")
    .option("--json", "print the candidate as JSON")
    .addHelpText("after", "\nExample:\n  understudy candidate digits int8 http://127.0.0.1:9001 --version 2")
    .action(async (deployment: string, name: string, url: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const candidate = await api.post<Candidate>(
        `/deployments/${encodeURIComponent(deployment)}/candidates`,
        {
          name,
          url,
          model: options.model,
          version: options.version,
        },
      );
      process.stdout.write(
        options.json
          ? `${JSON.stringify(candidate)}\n`
          : `registered candidate ${candidate.name} of ${candidate.deployment}: live run ${candidate.run}\n` +
              "next: understudy status\n",
      );
    });
}
