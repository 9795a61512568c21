#!/usr/bin/env bash
# Gates a candidate in CI: writes the reports, and ends with the gate's own exit code.
#
#   UNDERSTUDY_CONTROL_URL=http://understudy:8080 examples/ci/gate.sh digits int8 [REPORTS_FOLDER]
#
# 0 pass, 1 fail, 3 inconclusive, 2 cannot run. Limits come from the environment, so that one script serves all jobs. The
# gate's author is who runs the job: an approval "by another" is another than them.
set -uo pipefail

deployment=${1:?usage: gate.sh DEPLOYMENT CANDIDATE [REPORTS_FOLDER]}
candidate=${2:?usage: gate.sh DEPLOYMENT CANDIDATE [REPORTS_FOLDER]}
reports=${3:-gate-reports}
# Not from a registry: who has that name there need not be us.
understudy=${UNDERSTUDY:-npx --no-install understudy}
author=${AUTHOR:-${GITHUB_ACTOR:-${GITLAB_USER_LOGIN:-}}}

mkdir -p "$reports" || exit 2
# A report of an earlier job must not pass for this one's.
rm -f "$reports"/gate.{html,json,xml,md}

# shellcheck disable=SC2086 # UNDERSTUDY may hold a command with arguments
$understudy gate "$deployment" --candidate "$candidate" \
  --max-diff-rate "${MAX_DIFF_RATE:-1%}" \
  --max-error-rate "${MAX_ERROR_RATE:-0.1%}" \
  ${MAX_FLIP_RATE:+--max-flip-rate "$MAX_FLIP_RATE"} \
  ${MAX_P99_REGRESSION:+--max-p99-regression "$MAX_P99_REGRESSION"} \
  --min-samples "${MIN_SAMPLES:-1000}" \
  ${author:+--author "$author"} \
  --report "$reports/gate.html" --report "$reports/gate.json" \
  --report "$reports/gate.xml" --report "$reports/gate.md"
verdict=$?

# GitHub shows this beside the job.
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$reports/gate.md" ]; then
  cat "$reports/gate.md" >> "$GITHUB_STEP_SUMMARY"
fi
# Without a report nothing was judged: npx ends with 1 as well when there is no such command.
if [ ! -f "$reports/gate.json" ]; then exit 2; fi
case $verdict in
  0 | 1 | 3) exit "$verdict" ;;
  *) exit 2 ;;
esac
