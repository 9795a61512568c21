import { Command } from "commander";
import { policyProposeCommand } from "./policy-propose.js";
import { policySetCommand } from "./policy-set.js";
import { policyShowCommand } from "./policy-show.js";
import { policyTryCommand } from "./policy-try.js";

/** `understudy policy`: what answers are judged by. One file per subcommand. */
export function policyCommand(): Command {
  return new Command("policy")
    .description("show, set, try or propose the rules and tolerances of a deployment")
    .addCommand(policyShowCommand())
    .addCommand(policySetCommand())
    .addCommand(policyTryCommand())
    .addCommand(policyProposeCommand());
}
