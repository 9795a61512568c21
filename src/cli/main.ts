#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { messageOf, UnderstudyError } from "../errors.js";
import { packageVersion } from "../paths.js";
import { endWithParent } from "../process/service.js";
import { surviveOutputFaults } from "./output-faults.js";

/** Commands by name. Each is loaded only when it is wanted: most need neither the database nor the model runtime. */
const commands: Record<string, () => Promise<Command>> = {
  up: async () => (await import("./up.js")).upCommand(),
  gateway: async () => (await import("./gateway.js")).gatewayCommand(),
  worker: async () => (await import("./worker.js")).workerCommand(),
  control: async () => (await import("./control.js")).controlCommand(),
  "model-server": async () => (await import("./model-server.js")).modelServerCommand(),
  migrate: async () => (await import("./migrate.js")).migrateCommand(),
  register: async () => (await import("./register.js")).registerCommand(),
  candidate: async () => (await import("./candidate.js")).candidateCommand(),
  deployment: async () => (await import("./deployment.js")).deploymentCommand(),
  capture: async () => (await import("./capture.js")).captureCommand(),
  status: async () => (await import("./status.js")).statusCommand(),
  recount: async () => (await import("./recount.js")).recountCommand(),
  selection: async () => (await import("./selection.js")).selectionCommand(),
  replay: async () => (await import("./replay.js")).replayCommand(),
  gate: async () => (await import("./gate.js")).gateCommand(),
  promote: async () => (await import("./promote.js")).promoteCommand(),
  diff: async () => (await import("./diff.js")).diffCommand(),
  redaction: async () => (await import("./redaction.js")).redactionCommand(),
  dead: async () => (await import("./dead.js")).deadCommand(),
  erase: async () => (await import("./erase.js")).eraseCommand(),
  policy: async () => (await import("./policy.js")).policyCommand(),
};

/** Commands that other commands start; they are not listed. */
const internalCommands: Record<string, () => Promise<Command>> = {
  "demo-traffic": async () => (await import("./demo-traffic.js")).demoTrafficCommand(),
};

/** Makes every usage error exit with 2: 1 means "mismatch" or "fail" to a script. */
function strictly(command: Command): Command {
  for (const subcommand of command.commands) strictly(subcommand);
  return command.exitOverride().showHelpAfterError("(see --help)").configureHelp({ sortSubcommands: false });
}

async function main(argv: string[]): Promise<void> {
  const program = strictly(new Command("understudy"))
    .description("Shadow-tests a new version of a model on live traffic before it goes on stage.")
    .version(packageVersion)
    .addHelpText("after", "\nSettings come from the environment; docs/configuration.md lists them.");
  const wanted = argv[2] ?? "";
  const loader = commands[wanted] ?? internalCommands[wanted];
  for (const load of loader ? [loader] : Object.values(commands)) program.addCommand(strictly(await load()));
  await program.parseAsync(argv);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UnderstudyError) {
    process.stderr.write(`error: ${error.message}\n`);
    if (error.hint) process.stderr.write(`${error.hint}\n`);
    return error.exitCode;
  }
  process.stderr.write(`unexpected error: ${error instanceof Error ? error.stack : messageOf(error)}\n`);
  return 2;
}

surviveOutputFaults(process);
endWithParent();
try {
  await main(process.argv);
} catch (error) {
  process.exitCode = report(error);
  // A half-started command may have left sockets open; nothing more is to be done by this process.
  if (process.connected) process.disconnect();
  setTimeout(() => process.exit(), 1_000).unref();
}
