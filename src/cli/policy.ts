import { Command } from "commander";
import { policySetCommand } from "./policy-set.js";
import { policyShowCommand } from "./policy-show.js";
import { policyTryCommand } from "./policy-try.js";

/** `understudy policy`: what answers are judged by. One file per subcommand. */
export function policyCommand(): Command {
  return new Command("policy")
    .description("show, set, or try the rules and tolerances of a deployment")
    .addCommand(policyShowCommand())
    .addCommand(policySetCommand())
    .addCommand(policyTryCommand());
}
