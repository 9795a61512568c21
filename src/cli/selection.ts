import { Command } from "commander";
import { type ApiClient, createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { Selection, SelectionPage } from "../control/api.js";
import { addFilterOptions, type FilterOptions, filterOf } from "./replay.js";
import { selectionCompareCommand } from "./selection-compare.js";
import { table } from "./table.js";

interface Options extends FilterOptions {
  seal?: boolean;
  json?: boolean;
}

/** `understudy selection`: named sets of captures. */
export function selectionCommand(): Command {
  return new Command("selection")
    .description("name sets of captures, to be replayed to one candidate after the other")
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(selectionCompareCommand())
    .addCommand(oneCommand("show", "show a selection", (api, path) => api.get<Selection>(path)))
    .addCommand(
      oneCommand("seal", "make a selection immutable: these very captures, in a random order", (api, path) =>
        api.post<Selection>(`${path}/seal`, {}),
      ),
    )
    .addCommand(deleteCommand());
}

function createCommand(): Command {
  const command = new Command("create")
    .description("name the captures for which all that is given holds")
    .argument("<deployment>", "name of the deployment")
    .argument("<name>", "name of the selection");
  return addFilterOptions(command)
    .option("--seal", "seal it at once")
    .option("--json", "print the selection as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  understudy selection create digits errors --since 24h --errors-only --seal",
    )
    .action(async (deployment: string, name: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const body = { name, filter: filterOf(options), seal: options.seal ?? false };
      print(await api.post<Selection>(pathOf(deployment), body), options);
    });
}

function listCommand(): Command {
  return new Command("list")
    .description("list the selections of a deployment")
    .argument("<deployment>", "name of the deployment")
    .option("--json", "print them as JSON")
    .action(async (deployment: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      const { items } = await api.get<SelectionPage>(pathOf(deployment));
      const rows = items.map(({ name, captures, sealed }) => [name, captures, sealed ? "sealed" : "open"]);
      process.stdout.write(
        options.json ? `${JSON.stringify(items)}\n` : `${table(["selection", "captures", "state"], rows)}\n`,
      );
    });
}

function oneCommand(
  verb: string,
  description: string,
  act: (api: ApiClient, path: string) => Promise<Selection>,
): Command {
  return new Command(verb)
    .description(description)
    .argument("<deployment>", "name of the deployment")
    .argument("<name>", "name of the selection")
    .option("--json", "print the selection as JSON")
    .action(async (deployment: string, name: string, options: Options) => {
      const api = createApiClient(loadConfig().controlUrl);
      print(await act(api, `${pathOf(deployment)}/${encodeURIComponent(name)}`), options);
    });
}

function deleteCommand(): Command {
  return new Command("delete")
    .description("delete a selection that no gate judged; the days that a sealed one held may go then")
    .argument("<deployment>", "name of the deployment")
    .argument("<name>", "name of the selection")
    .action(async (deployment: string, name: string) => {
      const api = createApiClient(loadConfig().controlUrl);
      await api.delete(`${pathOf(deployment)}/${encodeURIComponent(name)}`);
      process.stdout.write(`selection ${name} of ${deployment}: deleted\n`);
    });
}

const pathOf = (deployment: string) => `/deployments/${encodeURIComponent(deployment)}/selections`;

function print(selection: Selection, { json }: Options): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(selection)}\n`);
    return;
  }
  const { name, deployment, captures, erased, filter, sealed } = selection;
  const lines = [
    `selection ${name} of ${deployment}: ${captures} captures${erased > 0 ? `, ${erased} erased since` : ""}`,
    `  filter  ${JSON.stringify(filter)}`,
    sealed
      ? `  sealed  ${new Date(sealed.at).toISOString()}, SHA-256 ${sealed.sha256}`
      : "  open    what it means changes with the time; `understudy selection seal` fixes it",
    `next: understudy replay ${deployment} --candidate NAME --selection ${name}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
