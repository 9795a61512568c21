import { Prisma } from "./generated/client.js";

/** Whether run `r` of candidate `c` is of its revision now, and under the policy in force. */
export const isCurrent = Prisma.sql`(
  c.model_version_id = r.model_version_id AND r.policy_id = (
    SELECT o.id FROM policies o WHERE o.deployment_id = r.deployment_id AND NOT o.trial
    ORDER BY o.version DESC LIMIT 1))`;
