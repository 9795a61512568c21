// Prints "PASSED FAILED" of a Vitest JSON report, and on stderr a line for each test that failed or was left out. A run
// that failed without such a test (an error outside of any, say) counts as one failure: nothing may go missing unseen.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const [reportPath, exitStatus] = process.argv.slice(2);
const report = JSON.parse(readFileSync(reportPath, "utf8"));
const { numPassedTests: passed, numFailedTests, numPendingTests: leftOut, numTodoTests: todo } = report;
let failed = numFailedTests + leftOut + todo;
for (const { name: file, assertionResults } of report.testResults) {
  for (const { status, fullName, failureMessages } of assertionResults) {
    if (status === "passed") continue;
    const why = failureMessages[0]?.split("\n")[0] ?? "";
    console.error(`${status}: ${relative(process.cwd(), file)} > ${fullName} ${why}`.slice(0, 500));
  }
}
if (passed === 0 || (Number(exitStatus) !== 0 && failed === 0)) {
  failed += 1;
  console.error(`failed: no single test, but the run of ${reportPath} (exit status ${exitStatus})`);
}
console.log(`${passed} ${failed}`);
